resource "google_cloud_run_v2_job" "worker" {
  count = local.runs ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = local.name
  labels              = local.labels
  deletion_protection = var.deletion_protection

  template {
    task_count = var.task_count
    # Null leaves it to Cloud Run: as many as the quota allows.
    parallelism = var.parallelism == 0 ? null : var.parallelism
    labels      = local.labels

    template {
      service_account = google_service_account.worker.email
      timeout         = "${var.task_timeout_seconds}s"
      max_retries     = var.max_retries

      containers {
        image = local.image
        args  = ["run"]

        resources {
          limits = {
            cpu    = var.cpu
            memory = var.memory
          }
        }

        dynamic "env" {
          for_each = local.environment

          content {
            name  = env.key
            value = env.value
          }
        }

        env {
          name = "WORKER_STUDENT_KEY"

          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.this["student_key"].secret_id
              version = var.student_key_version
            }
          }
        }
      }
    }
  }

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []

    content {
      use_default = true
    }
  }

  # gcloud leaves its name and version; a plan after a deployment shows them as a change to be undone.
  lifecycle {
    ignore_changes = [client, client_version]
  }

  # An execution that starts before its rights are there fails.
  depends_on = [
    google_project_iam_member.grant,
    google_project_service.api,
    google_pubsub_subscription_iam_member.grant,
    google_pubsub_topic_iam_member.grant,
    google_secret_manager_secret_iam_member.grant,
  ]
}
