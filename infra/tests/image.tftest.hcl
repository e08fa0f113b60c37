# Only digests run, and the worker is told the digest that runs.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id   = "my-project"
  region       = "europe-west1"
  alert_emails = ["operators@example.com"]
}

run "a_digest_runs_and_the_worker_knows_it" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].image == var.image
    error_message = "The job must run exactly the image that was named."
  }

  assert {
    condition = [
      for env in google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].env : env.value if env.name == "WORKER_IMAGE_DIGEST"
    ] == ["sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]
    error_message = "WORKER_IMAGE_DIGEST must be the digest of the image that the job runs: results carry it."
  }

  assert {
    condition     = length(data.google_cloud_run_v2_job.deployed) == 0
    error_message = "What is deployed now does not matter when an image is named."
  }
}

run "a_tag_is_refused" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker:v1"
  }

  expect_failures = [var.image]
}

run "a_tag_beside_a_digest_is_refused" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  expect_failures = [var.image]
}

run "a_bare_name_is_refused" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker"
  }

  expect_failures = [var.image]
}

run "a_digest_that_is_too_short_is_refused" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef"
  }

  expect_failures = [var.image]
}

run "a_first_set_up_without_an_image_makes_nothing_that_runs" {
  command = plan

  variables {
    image                 = "none"
    worker_pool_instances = 2
  }

  assert {
    condition = (
      length(google_cloud_run_v2_job.worker)
      + length(google_cloud_run_v2_worker_pool.worker)
      + length(google_cloud_scheduler_job.start)
      + length(google_cloud_run_v2_job_iam_member.grant)
    ) == 0
    error_message = "Without an image there can be no job, no worker pool, no schedule, and nobody's right to start the job."
  }

  assert {
    condition     = google_pubsub_topic.requests.name == "content-requests" && google_secret_manager_secret.this["student_key"].secret_id == "content-worker-student-key"
    error_message = "All the rest is made, so that the key can be added and the image built."
  }
}

run "a_plain_apply_keeps_what_a_build_has_deployed" {
  command = plan

  override_data {
    target = data.google_cloud_run_v2_job.deployed[0]
    values = {
      template = [{
        template = [{
          containers = [{
            image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
          }]
        }]
      }]
    }
  }

  assert {
    condition     = endswith(google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].image, "@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
    error_message = "Without a named image the job must keep the digest that is deployed now."
  }

  assert {
    condition = [
      for env in google_cloud_run_v2_job.worker[0].template[0].template[0].containers[0].env : env.value if env.name == "WORKER_IMAGE_DIGEST"
    ] == ["sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"]
    error_message = "WORKER_IMAGE_DIGEST must be the digest of the image that is kept."
  }
}

run "a_tag_deployed_by_hand_is_not_kept" {
  command = plan

  override_data {
    target = data.google_cloud_run_v2_job.deployed[0]
    values = {
      template = [{
        template = [{
          containers = [{
            image = "europe-west1-docker.pkg.dev/my-project/content-worker/worker:latest"
          }]
        }]
      }]
    }
  }

  expect_failures = [data.google_cloud_run_v2_job.deployed]
}
