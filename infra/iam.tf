# Who may do what: every grant is one line of a table, on the narrowest thing that takes a policy. Only ever members are
# added; nobody's rights given elsewhere are taken away.

locals {
  # No allUsers, no allAuthenticatedUsers, no whole domain.
  member_pattern = "^(user|group|serviceAccount|principal|principalSet):.+$"

  worker = google_service_account.worker.member
  start  = google_service_account.start.member
  build  = google_service_account.build.member
  http   = google_service_account.http.member

  requests     = google_pubsub_topic.requests.name
  dead_letters = google_pubsub_topic.dead_letters.name
  pulled       = google_pubsub_subscription.requests.name
  review       = google_pubsub_subscription.dead_letters.name

  topic_grants = merge(
    {
      # The worker looks at the dead-letter topic before its first pull: viewer.
      worker_publishes_dead_letters = { topic = local.dead_letters, role = "roles/pubsub.publisher", member = local.worker }
      worker_sees_dead_letters      = { topic = local.dead_letters, role = "roles/pubsub.viewer", member = local.worker }
      # Without this and the next grant to it Pub/Sub reports nothing, and delivers a deadly message for ever.
      pubsub_publishes_dead_letters = { topic = local.dead_letters, role = "roles/pubsub.publisher", member = local.pubsub_agent }
      build_publishes_a_trial       = { topic = local.requests, role = "roles/pubsub.publisher", member = local.build }
      http_publishes                = { topic = local.requests, role = "roles/pubsub.publisher", member = local.http }
      http_sees_the_topic           = { topic = local.requests, role = "roles/pubsub.viewer", member = local.http }
    },
    { for member in var.operators : "redrive ${member}" => { topic = local.requests, role = "roles/pubsub.publisher", member = member } },
  )

  subscription_grants = merge(
    {
      worker_pulls           = { subscription = local.pulled, role = "roles/pubsub.subscriber", member = local.worker }
      worker_sees_it         = { subscription = local.pulled, role = "roles/pubsub.viewer", member = local.worker }
      pubsub_takes_them_away = { subscription = local.pulled, role = "roles/pubsub.subscriber", member = local.pubsub_agent }
    },
    { for member in var.operators : "review ${member}" => { subscription = local.review, role = "roles/pubsub.subscriber", member = member } },
    { for member in var.operators : "see ${member}" => { subscription = local.review, role = "roles/pubsub.viewer", member = member } },
  )

  secret_grants = {
    worker_student_key = { secret = "student_key", role = "roles/secretmanager.secretAccessor", member = local.worker }
    http_student_key   = { secret = "student_key", role = "roles/secretmanager.secretAccessor", member = local.http }
    http_api_keys      = { secret = "api_keys", role = "roles/secretmanager.secretAccessor", member = local.http }
  }

  # Firestore and Vertex AI have no policies of their own: project, the former narrowed to the one database.
  project_grants = merge(
    {
      worker_writes_results = { role = "roles/datastore.user", member = local.worker, database_only = true }
      worker_asks_models    = { role = "roles/aiplatform.user", member = local.worker, database_only = false }
      http_writes_feedback  = { role = "roles/datastore.user", member = local.http, database_only = true }
      build_reads_a_result  = { role = "roles/datastore.viewer", member = local.build, database_only = true }
      build_writes_its_log  = { role = "roles/logging.logWriter", member = local.build, database_only = false }
      # Executions and operations are looked up in the location, not in the job.
      build_sees_executions = { role = "roles/run.viewer", member = local.build, database_only = false }
      # The bill of materials is kept as an occurrence of a note.
      build_notes_materials   = { role = "roles/containeranalysis.notes.editor", member = local.build, database_only = false }
      build_records_materials = { role = "roles/containeranalysis.occurrences.editor", member = local.build, database_only = false }
    },
    { for member in var.operators : "results ${member}" => { role = "roles/datastore.viewer", member = member, database_only = true } },
  )

  job_grants = merge(
    {
      # Start it as it is: no other arguments, no other environment.
      schedule_starts_it = { role = "roles/run.jobsExecutor", member = local.start }
      build_deploys_it   = { role = "roles/run.developer", member = local.build }
    },
    { for member in var.invokers : "start ${member}" => { role = "roles/run.jobsExecutor", member = member } },
  )
}

resource "google_pubsub_topic_iam_member" "grant" {
  for_each = local.topic_grants

  project = var.project_id
  topic   = each.value.topic
  role    = each.value.role
  member  = each.value.member
}

resource "google_pubsub_subscription_iam_member" "grant" {
  for_each = local.subscription_grants

  project      = var.project_id
  subscription = each.value.subscription
  role         = each.value.role
  member       = each.value.member
}

resource "google_secret_manager_secret_iam_member" "grant" {
  for_each = local.secret_grants

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = each.value.role
  member    = each.value.member
}

resource "google_project_iam_member" "grant" {
  for_each = local.project_grants

  project = var.project_id
  role    = each.value.role
  member  = each.value.member

  dynamic "condition" {
    for_each = each.value.database_only ? [google_firestore_database.this.name] : []

    content {
      title       = "content-worker-database"
      description = "Only the database of the content worker."
      expression  = "resource.name == \"projects/${var.project_id}/databases/${condition.value}\""
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "grant" {
  for_each = local.runs ? local.job_grants : {}

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.worker[0].name
  role     = each.value.role
  member   = each.value.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = local.build
}

# To deploy a job that runs as the worker means to act as the worker, and as nobody else.
resource "google_service_account_iam_member" "build_deploys_as_worker" {
  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser"
  member             = local.build
}

# Reads the source to build, keeps the bill of materials (gcloud artifacts sbom load --destination asks for this role).
resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.builds.name
  role   = "roles/storage.objectAdmin"
  member = local.build
}
