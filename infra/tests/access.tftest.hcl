# Who may do what.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id   = "my-project"
  region       = "europe-west1"
  image        = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  alert_emails = ["operators@example.com"]
}

run "nobody_may_more_than_needed" {
  command = apply

  variables {
    invokers  = ["group:teachers@example.com"]
    operators = ["user:ada@example.com"]
  }

  assert {
    condition = length(setintersection(["roles/owner", "roles/editor", "roles/viewer"], concat(
      [for grant in google_project_iam_member.grant : grant.role],
      [for grant in google_cloud_run_v2_job_iam_member.grant : grant.role],
      [for grant in google_pubsub_topic_iam_member.grant : grant.role],
      [for grant in google_pubsub_subscription_iam_member.grant : grant.role],
      [for grant in google_secret_manager_secret_iam_member.grant : grant.role],
    ))) == 0
    error_message = "Nobody gets a basic role."
  }

  assert {
    condition = alltrue([
      for member in concat(
        [for grant in google_project_iam_member.grant : grant.member],
        [for grant in google_cloud_run_v2_job_iam_member.grant : grant.member],
        [for grant in google_pubsub_topic_iam_member.grant : grant.member],
        [for grant in google_pubsub_subscription_iam_member.grant : grant.member],
        [for grant in google_secret_manager_secret_iam_member.grant : grant.member],
      ) : !contains(["allUsers", "allAuthenticatedUsers"], member)
    ])
    error_message = "Nothing is given to the public."
  }

  assert {
    condition = toset([for grant in google_project_iam_member.grant : grant.role if grant.member == "serviceAccount:content-worker@my-project.iam.gserviceaccount.com"]) == toset([
      "roles/aiplatform.user", "roles/datastore.user",
    ])
    error_message = "On the project the worker may ask models and write results, and nothing else."
  }

  assert {
    condition = toset(concat(
      [for grant in google_pubsub_topic_iam_member.grant : "${grant.topic} ${grant.role}" if grant.member == "serviceAccount:content-worker@my-project.iam.gserviceaccount.com"],
      [for grant in google_pubsub_subscription_iam_member.grant : "${grant.subscription} ${grant.role}" if grant.member == "serviceAccount:content-worker@my-project.iam.gserviceaccount.com"],
      [for grant in google_secret_manager_secret_iam_member.grant : "${grant.secret_id} ${grant.role}" if grant.member == "serviceAccount:content-worker@my-project.iam.gserviceaccount.com"],
      )) == toset([
      "content-requests-worker roles/pubsub.subscriber",
      "content-requests-worker roles/pubsub.viewer",
      "content-requests-dead roles/pubsub.publisher",
      "content-requests-dead roles/pubsub.viewer",
      "content-worker-student-key roles/secretmanager.secretAccessor",
    ])
    error_message = "The worker pulls its subscription, publishes dead letters and reads its key. The API keys are not for it."
  }

  assert {
    condition     = alltrue([for grant in google_project_iam_member.grant : one(grant.condition[*].expression) == "resource.name == \"projects/my-project/databases/(default)\"" if startswith(grant.role, "roles/datastore.")])
    error_message = "Every right on Firestore is for the one database."
  }
}

run "the_schedule_may_start_the_job_and_nothing_else" {
  command = apply

  assert {
    condition     = [for grant in google_cloud_run_v2_job_iam_member.grant : "${grant.name} ${grant.role}" if grant.member == "serviceAccount:content-worker-start@my-project.iam.gserviceaccount.com"] == ["content-worker roles/run.jobsExecutor"]
    error_message = "content-worker-start may start the job as it is."
  }

  assert {
    condition = length([
      for grant in concat(values(google_project_iam_member.grant), values(google_pubsub_topic_iam_member.grant), values(google_pubsub_subscription_iam_member.grant), values(google_secret_manager_secret_iam_member.grant)) :
      grant if grant.member == "serviceAccount:content-worker-start@my-project.iam.gserviceaccount.com"
    ]) == 0
    error_message = "content-worker-start may do nothing but start the job."
  }
}

run "a_build_may_act_as_the_worker_only" {
  command = apply

  assert {
    condition     = google_service_account_iam_member.build_deploys_as_worker.service_account_id == google_service_account.worker.name && google_service_account_iam_member.build_deploys_as_worker.role == "roles/iam.serviceAccountUser"
    error_message = "A build deploys jobs that run as the worker, and as nobody else."
  }

  assert {
    condition     = !contains([for grant in google_project_iam_member.grant : grant.role], "roles/iam.serviceAccountUser") && !contains([for grant in google_project_iam_member.grant : grant.role], "roles/run.developer")
    error_message = "Acting as accounts, and deploying, are not given on the whole project."
  }
}

run "operators_see_results_and_dead_letters_but_start_nothing" {
  command = apply

  variables {
    operators = ["user:ada@example.com"]
  }

  assert {
    condition = toset(concat(
      [for grant in google_project_iam_member.grant : grant.role if grant.member == "user:ada@example.com"],
      [for grant in google_pubsub_topic_iam_member.grant : "${grant.topic} ${grant.role}" if grant.member == "user:ada@example.com"],
      [for grant in google_pubsub_subscription_iam_member.grant : "${grant.subscription} ${grant.role}" if grant.member == "user:ada@example.com"],
      [for grant in google_cloud_run_v2_job_iam_member.grant : grant.role if grant.member == "user:ada@example.com"],
      )) == toset([
      "roles/datastore.viewer",
      "content-requests roles/pubsub.publisher",
      "content-requests-dead-review roles/pubsub.subscriber",
      "content-requests-dead-review roles/pubsub.viewer",
    ])
    error_message = "Operators review dead letters, send them again, and read results."
  }
}

run "invokers_start_the_job_as_it_is" {
  command = apply

  variables {
    invokers = ["group:teachers@example.com"]
  }

  assert {
    condition     = [for grant in google_cloud_run_v2_job_iam_member.grant : "${grant.name} ${grant.role}" if grant.member == "group:teachers@example.com"] == ["content-worker roles/run.jobsExecutor"]
    error_message = "Invokers may start the job, without other arguments or another environment."
  }
}

run "the_public_cannot_start_the_job" {
  command = plan

  variables {
    invokers = ["group:teachers@example.com", "allUsers"]
  }

  expect_failures = [var.invokers]
}

run "everybody_with_a_google_account_is_the_public_too" {
  command = plan

  variables {
    invokers = ["allAuthenticatedUsers"]
  }

  expect_failures = [var.invokers]
}

run "the_public_cannot_read_results" {
  command = plan

  variables {
    operators = ["allAuthenticatedUsers"]
  }

  expect_failures = [var.operators]
}
