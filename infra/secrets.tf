# The secrets, not their values: a value given to Terraform would stand in its state. Add them with
#   openssl rand -base64 32 | gcloud secrets versions add content-worker-student-key --data-file=-

locals {
  secrets = {
    student_key = "content-worker-student-key"
    api_keys    = "content-worker-api-keys"
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  project   = var.project_id
  secret_id = each.value
  labels    = local.labels

  # Without its key nobody finds a student's data again. A version destroyed by mistake can be had back for a week; a secret
  # that is deleted is gone at once, with all of them.
  version_destroy_ttl = "604800s"
  deletion_protection = var.deletion_protection

  replication {
    auto {}
  }

  depends_on = [google_project_service.api]
}
