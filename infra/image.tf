# Which image runs. It is named once, and the worker is told the digest that Cloud Run was told.

locals {
  runs  = var.image != "none"
  image = var.image == null ? data.google_cloud_run_v2_job.deployed[0].template[0].template[0].containers[0].image : var.image

  # sha256:…
  image_digest = local.runs ? split("@", local.image)[1] : null
}

# Builds deploy without Terraform. What they deployed is read, rather than ignored, so that image and WORKER_IMAGE_DIGEST
# are still set together and a change made by hand shows in the plan. Without a job the provider's own error ends the plan:
# projects/…/jobs/content-worker not found. infra/README.md says what to do then.
data "google_cloud_run_v2_job" "deployed" {
  count = var.image == null ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = local.name

  lifecycle {
    postcondition {
      condition     = can(regex("@sha256:[0-9a-f]{64}$", self.template[0].template[0].containers[0].image))
      error_message = "The job ${local.name} does not run an image by digest. Name the one that it shall run: terraform apply -var image=\"$(scripts/build)\"."
    }
  }
}
