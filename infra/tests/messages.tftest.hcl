# Queue, dead letters and database: nothing is lost, and what has expired goes.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id   = "my-project"
  region       = "europe-west1"
  image        = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  alert_emails = ["operators@example.com"]
}

run "nothing_is_lost_between_the_topics" {
  command = apply

  # Where this resource is missing, Pub/Sub drops every dead letter without a word.
  assert {
    condition     = google_pubsub_subscription.dead_letters.topic == google_pubsub_topic.dead_letters.id
    error_message = "The dead-letter topic must have a subscription: a topic without one loses what is published on it."
  }

  assert {
    condition     = google_pubsub_subscription.requests.dead_letter_policy[0].dead_letter_topic == google_pubsub_subscription.dead_letters.topic
    error_message = "Dead letters must go to the topic whose subscription keeps them."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letters.expiration_policy[0].ttl == "" && google_pubsub_subscription.requests.expiration_policy[0].ttl == ""
    error_message = "Subscriptions must never expire, however long nobody pulls."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letters.message_retention_duration == "2678400s"
    error_message = "Dead letters must be kept for 31 days."
  }

  assert {
    condition     = google_pubsub_subscription.requests.message_retention_duration == "604800s"
    error_message = "Questions must be kept for seven days."
  }

  assert {
    condition     = google_pubsub_subscription.requests.dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "Shutdowns count as deliveries: a lower number would dead-letter healthy messages."
  }

  assert {
    condition     = google_pubsub_subscription.requests.retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.requests.retry_policy[0].maximum_backoff == "600s"
    error_message = "Messages that were given back must not come again at once."
  }

  assert {
    condition     = google_pubsub_subscription.requests.enable_exactly_once_delivery == false
    error_message = "The claim in the store does that; exactly-once delivery only adds latency."
  }
}

run "pub_sub_may_move_dead_letters" {
  command = apply

  assert {
    condition = anytrue([
      for grant in google_pubsub_topic_iam_member.grant :
      grant.topic == "content-requests-dead" && grant.role == "roles/pubsub.publisher" && grant.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    ])
    error_message = "Pub/Sub's service agent must be publisher on the dead-letter topic."
  }

  assert {
    condition = anytrue([
      for grant in google_pubsub_subscription_iam_member.grant :
      grant.subscription == "content-requests-worker" && grant.role == "roles/pubsub.subscriber" && grant.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    ])
    error_message = "Pub/Sub's service agent must be subscriber on the subscription that it moves messages from."
  }
}

run "a_retention_that_pub_sub_does_not_offer_is_refused" {
  command = plan

  variables {
    message_retention_seconds = 2678401
  }

  expect_failures = [var.message_retention_seconds]
}

run "what_has_expired_goes" {
  command = plan

  assert {
    condition     = toset([for field in google_firestore_field.expires_at : field.collection if field.field == "expires_at" && length(field.ttl_config) == 1]) == toset(["content_results", "content_answers", "content_feedback"])
    error_message = "Every collection must have its TTL policy on expires_at."
  }

  assert {
    condition = alltrue([
      for field in concat(values(google_firestore_field.expires_at), values(google_firestore_field.unindexed_result), [google_firestore_field.unindexed_answer]) :
      try(length(field.index_config[0].indexes) == 0, false)
    ])
    error_message = "An index_config block without indexes takes the index away; without the block Firestore keeps it."
  }

  assert {
    condition     = google_firestore_field.unindexed_answer.field == "*" && google_firestore_field.unindexed_answer.collection == "content_answers"
    error_message = "Nothing in the paid answers is indexed."
  }
}

run "results_expire_after_the_infrastructure_is_gone" {
  command = plan

  assert {
    condition     = google_firestore_database.this.deletion_policy == "ABANDON"
    error_message = "Destroying the infrastructure must leave the results."
  }

  assert {
    condition     = alltrue([for field in google_firestore_field.expires_at : field.deletion_policy == "ABANDON"])
    error_message = "Results that are left must still expire: their TTL policy must be left, too."
  }
}

run "results_are_found_by_status" {
  command = plan

  assert {
    condition     = [for field in google_firestore_index.results_by_status.fields : "${field.field_path} ${field.order}"] == ["status ASCENDING", "created_at DESCENDING"]
    error_message = "`results --status` needs this index, in this order."
  }
}

run "the_database_is_protected" {
  command = plan

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.this.name == "(default)" && google_firestore_database.this.type == "FIRESTORE_NATIVE" && google_firestore_database.this.location_id == "europe-west1"
    error_message = "The default database, native, in the region, protected from deletion."
  }
}

run "builds_are_not_public" {
  command = plan

  assert {
    condition     = google_storage_bucket.builds.public_access_prevention == "enforced" && google_storage_bucket.builds.uniform_bucket_level_access
    error_message = "Sources and bills of materials are nobody else's."
  }
}

run "no_trigger_without_a_repository" {
  command = plan

  assert {
    condition     = length(google_cloudbuild_trigger.push) == 0
    error_message = "Without a repository there is nothing to be triggered by."
  }
}

run "a_push_to_the_branch_is_built_as_the_build_account" {
  command = apply

  variables {
    github_repository = { owner = "my-organisation", name = "content-worker", branch = "release-1.2" }
  }

  assert {
    condition     = google_cloudbuild_trigger.push[0].github[0].push[0].branch == "^release-1\\.2$" && google_cloudbuild_trigger.push[0].filename == "cloudbuild.yaml"
    error_message = "Exactly that branch, and no other that only looks like it."
  }

  assert {
    condition     = google_cloudbuild_trigger.push[0].service_account == google_service_account.build.id
    error_message = "Builds must run as content-worker-build, not as Cloud Build's own account, which may do much more."
  }
}
