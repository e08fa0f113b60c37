output "job" {
  description = "Name of the Cloud Run job; null until there is an image."
  value       = one(google_cloud_run_v2_job.worker[*].name)
}

output "image" {
  description = "The image that runs, by digest; null until there is one."
  value       = local.runs ? local.image : null
}

output "topic" {
  description = "Topic to publish questions on."
  value       = google_pubsub_topic.requests.id
}

output "dead_letter_subscription" {
  description = "Where dead letters wait for a person."
  value       = google_pubsub_subscription.dead_letters.id
}

output "image_name" {
  description = "Name of the image, without tag or digest: where builds push."
  value       = local.image_name
}

output "builds_bucket" {
  description = "Bucket for the sources of builds (source/) and bills of materials (sbom/)."
  value       = google_storage_bucket.builds.name
}

output "service_accounts" {
  description = "Who acts: the worker, the schedule, the build, the HTTP services."
  value = {
    worker = google_service_account.worker.email
    start  = google_service_account.start.email
    build  = google_service_account.build.email
    http   = google_service_account.http.email
  }
}

output "dashboard" {
  description = "Link to the dashboard."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.this.id)}?project=${var.project_id}"
}

output "next" {
  description = "Commands to go on with."
  value = local.runs ? [
    "gcloud run jobs execute ${local.name} --region ${var.region} --project ${var.project_id} --wait",
    "gcloud run jobs executions list --job ${local.name} --region ${var.region} --project ${var.project_id}",
    ] : [
    "openssl rand -base64 32 | gcloud secrets versions add ${local.secrets.student_key} --project ${var.project_id} --data-file=-",
    "terraform -chdir=infra apply -var image=\"$(scripts/build)\"",
  ]
}
