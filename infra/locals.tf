locals {
  name   = "content-worker"
  labels = { app = local.name }

  # Who else relies on these names: worker/settings.py has them as defaults.
  topic                    = "content-requests"
  subscription             = "content-requests-worker"
  dead_letter_topic        = "content-requests-dead"
  dead_letter_subscription = "content-requests-dead-review"

  # Not a number where the variable is not well-formed: its own validation says so.
  memory_mib = try(tonumber(trimsuffix(trimsuffix(var.memory, "Gi"), "Mi")) * (endswith(var.memory, "Gi") ? 1024 : 1), null)

  firestore_location = coalesce(var.firestore_location, var.region)

  # Pub/Sub's own account, which moves messages to the dead-letter topic when the worker cannot.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

data "google_project" "this" {
  project_id = var.project_id
}
