# Optional: instances that pull all the time, where ten minutes are too long to wait. A pool follows the job's image at the
# next apply.
resource "google_cloud_run_v2_worker_pool" "worker" {
  count = local.runs && var.worker_pool_instances > 0 ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = "${local.name}-pool"
  description         = "Pulls questions all the time."
  labels              = local.labels
  deletion_protection = var.deletion_protection

  # By number, not by load: a worker that waits for models uses next to no processor.
  scaling {
    manual_instance_count = var.worker_pool_instances
  }

  template {
    service_account = google_service_account.worker.email
    labels          = local.labels

    containers {
      image = local.image
      args  = ["run", "--continuous"]

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

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []

    content {
      use_default = true
    }
  }

  # As in job.tf.
  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [
    google_project_iam_member.grant,
    google_project_service.api,
    google_pubsub_subscription_iam_member.grant,
    google_pubsub_topic_iam_member.grant,
    google_secret_manager_secret_iam_member.grant,
  ]
}
