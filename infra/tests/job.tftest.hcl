# The job, the worker pool and their environment.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id   = "my-project"
  region       = "europe-west1"
  image        = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  alert_emails = ["operators@example.com"]
}

run "the_worker_stops_a_minute_before_cloud_run_stops_it" {
  command = plan

  variables {
    task_timeout_seconds = 3600
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].timeout == "3600s"
    error_message = "The task's timeout is the variable's."
  }

  assert {
    condition     = local.environment["WORKER_MAX_RUNTIME_SECONDS"] == "3540"
    error_message = "WORKER_MAX_RUNTIME_SECONDS must be a minute less than the task's timeout, or work in flight is killed."
  }
}

run "a_timeout_without_a_minute_to_work_in_is_refused" {
  command = plan

  variables {
    task_timeout_seconds = 60
  }

  expect_failures = [var.task_timeout_seconds]
}

run "a_task_is_repeated_once_at_most" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].max_retries == 1
    error_message = "A failed task is repeated once unless somebody says otherwise."
  }
}

run "no_repetition_is_a_choice" {
  command = plan

  variables {
    max_retries = 0
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].max_retries == 0
    error_message = "max_retries = 0 must reach the job; Cloud Run's own default is 3."
  }
}

run "more_repetitions_are_refused" {
  command = plan

  variables {
    max_retries = 2
  }

  expect_failures = [var.max_retries]
}

run "more_parallel_tasks_than_tasks_are_refused" {
  command = plan

  variables {
    task_count  = 2
    parallelism = 3
  }

  expect_failures = [var.parallelism]
}

run "job_and_pool_have_the_same_environment" {
  command = plan

  variables {
    worker_pool_instances = 2
    worker_settings       = { WORKER_ON_OUTAGE = "hold", GOOGLE_CLOUD_LOCATION = "eu" }
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].env == google_cloud_run_v2_worker_pool.worker[0].template[0].containers[0].env
    error_message = "Job and worker pool must run with the same environment."
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].image == google_cloud_run_v2_worker_pool.worker[0].template[0].containers[0].image
    error_message = "Job and worker pool must run the same image."
  }

  assert {
    condition = tomap({
      for env in google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].env : env.name => env.value if length(env.value_source) == 0
      }) == tomap({
      GOOGLE_CLOUD_LOCATION           = "eu"
      GOOGLE_CLOUD_PROJECT            = "my-project"
      LOG_FORMAT                      = "json"
      WORKER_BACKEND                  = "google"
      WORKER_CONCURRENCY              = "64"
      WORKER_DEAD_LETTER_SUBSCRIPTION = "content-requests-dead-review"
      WORKER_DEAD_LETTER_TOPIC        = "content-requests-dead"
      WORKER_IMAGE_DIGEST             = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      WORKER_MAX_RUNTIME_SECONDS      = "540"
      WORKER_ON_OUTAGE                = "hold"
      WORKER_RESULT_TTL_DAYS          = "30"
      WORKER_SUBSCRIPTION             = "content-requests-worker"
      WORKER_TOPIC                    = "content-requests"
    })
    error_message = "The environment is what Terraform manages, and worker_settings."
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.worker[0].scaling[0].manual_instance_count == 2 && google_cloud_run_v2_worker_pool.worker[0].template[0].containers[0].args == tolist(["run", "--continuous"])
    error_message = "The pool has the number of instances asked for, and they keep running."
  }
}

run "there_is_no_pool_unless_somebody_asks_for_one" {
  command = plan

  assert {
    condition     = length(google_cloud_run_v2_worker_pool.worker) == 0
    error_message = "A pool costs money while it is idle, too."
  }
}

run "the_student_key_comes_from_the_secret" {
  command = plan

  assert {
    condition = [
      for env in google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].env :
      "${env.value_source[0].secret_key_ref[0].secret} ${env.value_source[0].secret_key_ref[0].version}" if env.name == "WORKER_STUDENT_KEY"
    ] == ["content-worker-student-key 1"]
    error_message = "The key must come from one fixed version of the secret."
  }
}

run "a_key_that_changes_by_itself_is_refused" {
  command = plan

  variables {
    student_key_version = "latest"
  }

  expect_failures = [var.student_key_version]
}

run "the_key_without_which_nobody_finds_a_students_data_is_protected" {
  command = plan

  assert {
    condition     = alltrue([for secret in google_secret_manager_secret.this : secret.deletion_protection])
    error_message = "Destroying a secret destroys all its versions at once."
  }
}

run "little_memory_for_many_processors_is_refused" {
  command = plan

  variables {
    cpu    = "4"
    memory = "1Gi"
  }

  expect_failures = [var.cpu]
}

run "much_memory_for_few_processors_is_refused" {
  command = plan

  variables {
    cpu    = "2"
    memory = "8193Mi"
  }

  expect_failures = [var.cpu]
}

run "less_memory_than_a_job_may_have_is_refused" {
  command = plan

  variables {
    memory = "256Mi"
  }

  expect_failures = [var.cpu]
}

run "memory_that_suits_the_processors_is_taken" {
  command = plan

  variables {
    cpu    = "8"
    memory = "32Gi"
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].resources[0].limits["memory"] == "32Gi"
    error_message = "The most that 8 processors take."
  }
}

run "settings_cannot_replace_what_terraform_sets" {
  command = plan

  variables {
    worker_settings = { WORKER_TOPIC = "another" }
  }

  expect_failures = [var.worker_settings]
}

run "settings_cannot_hold_secrets" {
  command = plan

  variables {
    worker_settings = { WORKER_API_KEYS = "app:secret" }
  }

  expect_failures = [var.worker_settings]
}

run "settings_are_the_workers_own" {
  command = plan

  variables {
    worker_settings = { PUBSUB_EMULATOR_HOST = "127.0.0.1:8085" }
  }

  expect_failures = [var.worker_settings]
}

run "settings_that_terraform_sets_are_all_protected" {
  command = plan

  assert {
    condition     = length(setsubtract(keys(local.managed_environment), local.managed_settings)) == 0
    error_message = "managed_settings lacks a name that managed_environment sets: worker_settings could name it without effect."
  }
}

run "binary_authorization_is_the_projects_policy" {
  command = plan

  variables {
    binary_authorization  = true
    worker_pool_instances = 1
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].binary_authorization[0].use_default && google_cloud_run_v2_worker_pool.worker[0].binary_authorization[0].use_default
    error_message = "With binary_authorization job and pool obey the project's policy."
  }

  assert {
    condition     = contains(keys(google_project_service.api), "binaryauthorization.googleapis.com")
    error_message = "The policy needs its API."
  }
}

run "the_schedule_starts_the_job_with_an_oauth_token" {
  command = apply

  assert {
    condition     = try(google_cloud_scheduler_job.start[0].http_target[0].oauth_token[0].service_account_email, "no OAuth token") == "content-worker-start@my-project.iam.gserviceaccount.com"
    error_message = "The schedule must start the job as content-worker-start, with an OAuth token: Google's APIs take no OIDC token."
  }

  assert {
    condition     = length(google_cloud_scheduler_job.start[0].http_target[0].oidc_token) == 0
    error_message = "Google's APIs take no OIDC token."
  }

  assert {
    condition     = google_cloud_scheduler_job.start[0].http_target[0].http_method == "POST" && google_cloud_scheduler_job.start[0].http_target[0].uri == "https://run.googleapis.com/v2/projects/my-project/locations/europe-west1/jobs/content-worker:run"
    error_message = "The schedule must POST to the job's :run."
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].service_account == "content-worker@my-project.iam.gserviceaccount.com"
    error_message = "The job must run as content-worker."
  }
}

run "a_region_is_no_zone" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [var.region]
}
