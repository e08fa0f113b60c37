# What builds read and leave behind: source/ is what was sent to be built, sbom/ the bills of materials.
resource "google_storage_bucket" "builds" {
  project                     = var.project_id
  name                        = "${var.project_id}-content-worker-builds"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    condition {
      age            = 30
      matches_prefix = ["source/"]
    }

    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.api]
}

# A push to the branch checks, tests, builds, deploys by digest and tries it out: cloudbuild.yaml.
resource "google_cloudbuild_trigger" "push" {
  count = var.github_repository == null ? 0 : 1

  project         = var.project_id
  location        = var.region
  name            = "${local.name}-push"
  description     = "Builds and deploys what was pushed to ${var.github_repository.branch}."
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.build.id
  tags            = [local.name]

  # The rest has the defaults of cloudbuild.yaml.
  substitutions = { _REGION = var.region }

  github {
    owner = var.github_repository.owner
    name  = var.github_repository.name

    push {
      branch = "^${replace(var.github_repository.branch, ".", "\\.")}$"
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.grant,
    google_service_account_iam_member.build_deploys_as_worker,
  ]
}
