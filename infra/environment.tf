# The worker's environment, the same in the job and in the worker pool. Every name is a field of worker/settings.py.

locals {
  managed_environment = {
    GOOGLE_CLOUD_PROJECT            = var.project_id
    LOG_FORMAT                      = "json"
    WORKER_BACKEND                  = "google"
    WORKER_CONCURRENCY              = tostring(var.concurrency)
    WORKER_DEAD_LETTER_SUBSCRIPTION = google_pubsub_subscription.dead_letters.name
    WORKER_DEAD_LETTER_TOPIC        = google_pubsub_topic.dead_letters.name
    WORKER_IMAGE_DIGEST             = local.image_digest
    # A minute is left for what is in flight: 45 s to end by itself, 7 s after being told to stop, and the last acks.
    WORKER_MAX_RUNTIME_SECONDS = tostring(var.task_timeout_seconds - 60)
    WORKER_RESULT_TTL_DAYS     = tostring(var.result_ttl_days)
    WORKER_SUBSCRIPTION        = google_pubsub_subscription.requests.name
    WORKER_TOPIC               = google_pubsub_topic.requests.name
  }

  # Written out, because a variable's validation must not depend on resources.
  managed_settings = [
    "GOOGLE_CLOUD_PROJECT",
    "LOG_FORMAT",
    "WORKER_BACKEND",
    "WORKER_CONCURRENCY",
    "WORKER_DATABASE",
    "WORKER_DEAD_LETTER_SUBSCRIPTION",
    "WORKER_DEAD_LETTER_TOPIC",
    "WORKER_IMAGE_DIGEST",
    "WORKER_MAX_RUNTIME_SECONDS",
    "WORKER_RESULT_TTL_DAYS",
    "WORKER_STUDENT_KEY",
    "WORKER_SUBSCRIPTION",
    "WORKER_TOPIC",
  ]
  secret_settings = ["WORKER_API_KEYS", "WORKER_FORMER_STUDENT_KEYS"]

  environment = merge({ GOOGLE_CLOUD_LOCATION = "global" }, var.worker_settings, local.managed_environment)
}
