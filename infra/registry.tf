resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = local.name
  description   = "Images of the content worker; the job runs one of them by its digest."
  format        = "DOCKER"
  labels        = local.labels

  # Tags are left mutable because nothing goes by them, and because an image with an immutable tag is never cleaned up.

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      tag_state  = "ANY"
      older_than = "7776000s" # 90 days
    }
  }

  # What is kept wins over what is deleted: the newest images, and those that were deployed.
  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = var.images_kept
    }
  }

  # scripts/deploy marks what has passed its trial; scripts/rollback goes back along these.
  cleanup_policies {
    id     = "keep-deployed"
    action = "KEEP"

    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["deployed-"]
    }
  }

  depends_on = [google_project_service.api]
}

locals {
  image_name = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}/worker"
}
