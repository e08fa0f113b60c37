# Results, paid answers and feedback. Who may read and write is decided by IAM: see project_grants in iam.tf.

locals {
  # Collections whose documents have a time `expires_at` after which the database removes them, within about a day.
  expiring_collections = ["content_results", "content_answers", "content_feedback"]

  # Fields of results that no query asks for. The large ones cost an index entry for every leaf; those with the time of
  # writing would add to the limit below. Queries ask for status, created_at, student_ref and debt.since.
  unindexed_result_fields = [
    "claim",
    "completed_at",
    "debt.interests",
    "debt.question",
    "earlier",
    "failures",
    "interest",
    "nlu",
    "quality",
    "script",
    "stages",
  ]
}

resource "google_firestore_database" "this" {
  project     = var.project_id
  name        = "(default)"
  location_id = local.firestore_location
  type        = "FIRESTORE_NATIVE"

  point_in_time_recovery_enablement = var.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"

  # Destroying the infrastructure leaves the results where they are.
  deletion_policy = "ABANDON"

  depends_on = [google_project_service.api]
}

# A collection with an index on a time that only grows takes about 500 writes a second
# (https://cloud.google.com/firestore/docs/best-practices). created_at of results keeps its index, because `results`
# asks for the newest: above some 250 messages a second, two writes each, that index has to go.
resource "google_firestore_field" "expires_at" {
  for_each = toset(local.expiring_collections)

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = each.value
  field      = "expires_at"

  ttl_config {}

  # Empty: no index at all.
  index_config {}

  # The results that outlive the infrastructure (see above) must still expire.
  deletion_policy = "ABANDON"
}

resource "google_firestore_field" "unindexed_result" {
  for_each = toset(local.unindexed_result_fields)

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = "content_results"
  field      = each.value

  index_config {}
}

# Paid answers are only ever read by their key: nothing in them is indexed, whatever fields they will have.
resource "google_firestore_field" "unindexed_answer" {
  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = "content_answers"
  field      = "*"

  index_config {}
}

# content-worker results --status …, newest first
resource "google_firestore_index" "results_by_status" {
  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = "content_results"

  fields {
    field_path = "status"
    order      = "ASCENDING"
  }

  fields {
    field_path = "created_at"
    order      = "DESCENDING"
  }
}
