# One account for each thing that acts by itself. What each may do stands in iam.tf; none has a key.

resource "google_service_account" "worker" {
  project      = var.project_id
  account_id   = local.name
  display_name = "Content worker: runs the job and the worker pool"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "start" {
  project      = var.project_id
  account_id   = "${local.name}-start"
  display_name = "Content worker: Cloud Scheduler starts the job with it"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "${local.name}-build"
  display_name = "Content worker: Cloud Build builds, deploys and tries the image with it"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "http" {
  project      = var.project_id
  account_id   = "${local.name}-http"
  display_name = "Content worker: the HTTP services submit, result and feedback run with it"

  depends_on = [google_project_service.api]
}
