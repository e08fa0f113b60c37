# Questions arrive on one topic, the worker pulls one subscription. What it cannot answer goes to a second topic, where a
# subscription keeps it for a person.

resource "google_pubsub_topic" "requests" {
  project = var.project_id
  name    = local.topic
  labels  = local.labels

  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "requests" {
  project = var.project_id
  name    = local.subscription
  topic   = google_pubsub_topic.requests.id
  labels  = local.labels

  # The worker renews leases while it works; this is how long a dead worker's messages stay away.
  ack_deadline_seconds       = 60
  message_retention_duration = "${var.message_retention_seconds}s"

  # Not exactly-once: the claim in the result store sees to it that nothing is done twice, across regions too.
  enable_exactly_once_delivery = false

  # Never: a worker that stands still for a month must find its subscription again.
  expiration_policy {
    ttl = ""
  }

  # Without it, a message given back at a shutdown would be delivered again at once.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The worker dead-letters by itself, with the reason, after five equal failures. This only ends what kills every worker
  # that touches it; as leases given back at shutdowns count too, it is the highest number that Pub/Sub allows.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 100
  }

  # A dead letter that arrives before its subscription exists is lost.
  depends_on = [google_pubsub_subscription.dead_letters]
}

resource "google_pubsub_topic" "dead_letters" {
  project = var.project_id
  name    = local.dead_letter_topic
  labels  = local.labels

  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "dead_letters" {
  project = var.project_id
  name    = local.dead_letter_subscription
  topic   = google_pubsub_topic.dead_letters.id
  labels  = local.labels

  # `content-worker dead-letters` renews leases of this length for as long as somebody looks.
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, the longest there is

  expiration_policy {
    ttl = ""
  }
}
