# Executions may overlap: they share the queue like the tasks of one execution.
resource "google_cloud_scheduler_job" "start" {
  count = local.runs ? 1 : 0

  project          = var.project_id
  region           = var.region
  name             = "${local.name}-start"
  description      = "Starts an execution of the job ${local.name}."
  schedule         = var.schedule
  time_zone        = var.time_zone
  paused           = var.schedule_paused
  attempt_deadline = "60s"

  # The next start is never far away.
  retry_config {
    retry_count          = 2
    min_backoff_duration = "10s"
    max_backoff_duration = "60s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${google_cloud_run_v2_job.worker[0].name}:run"

    # Google's own APIs want an OAuth token; an OIDC token is for services of one's own.
    oauth_token {
      service_account_email = google_service_account.start.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.grant, google_project_service.api]
}
