# Who is told what, and whether what is watched is what runs.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id   = "my-project"
  region       = "europe-west1"
  image        = "europe-west1-docker.pkg.dev/my-project/content-worker/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  alert_emails = ["operators@example.com"]
}

run "every_alert_says_cause_and_fix" {
  command = apply

  assert {
    condition = alltrue([
      for alert in [
        google_monitoring_alert_policy.oldest_unacked,
        google_monitoring_alert_policy.dead_letters,
        google_monitoring_alert_policy.failed_executions,
        google_monitoring_alert_policy.degraded_share,
        google_monitoring_alert_policy.daily_cost,
      ] : strcontains(alert.documentation[0].content, "**Cause**") && strcontains(alert.documentation[0].content, "**Fix**") && alert.documentation[0].mime_type == "text/markdown"
    ])
    error_message = "Whoever is woken by an alert is told cause and fix."
  }

  assert {
    condition = [
      for alert in [
        google_monitoring_alert_policy.oldest_unacked,
        google_monitoring_alert_policy.dead_letters,
        google_monitoring_alert_policy.failed_executions,
        google_monitoring_alert_policy.degraded_share,
        google_monitoring_alert_policy.daily_cost,
      ] : regex("docs/operations.md#(alert-[a-z-]+)", alert.documentation[0].content)[0]
    ] == ["alert-oldest-unacked", "alert-dead-letters", "alert-failed-executions", "alert-degraded-share", "alert-daily-cost"]
    error_message = "Every alert names its section of docs/operations.md."
  }

  assert {
    condition = alltrue([
      for alert in [
        google_monitoring_alert_policy.oldest_unacked,
        google_monitoring_alert_policy.dead_letters,
        google_monitoring_alert_policy.failed_executions,
        google_monitoring_alert_policy.degraded_share,
        google_monitoring_alert_policy.daily_cost,
      ] : alert.notification_channels == tolist([google_monitoring_notification_channel.email["operators@example.com"].id])
    ])
    error_message = "Every alert is sent to every address."
  }
}

run "alerts_watch_the_right_things" {
  command = plan

  variables {
    oldest_unacked_alert_minutes = 30
    degraded_share_alert         = 0.5
    daily_cost_alert_usd         = 7
  }

  assert {
    condition     = google_monitoring_alert_policy.oldest_unacked.conditions[0].condition_threshold[0].threshold_value == 1800
    error_message = "The age of the oldest question is in seconds."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.dead_letters.conditions[0].condition_threshold[0].filter, "subscription_id=\"content-requests-dead-review\"") && google_monitoring_alert_policy.dead_letters.conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "One dead letter in the review subscription is reason enough."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.failed_executions.conditions[0].condition_threshold[0].filter, "job_name=\"content-worker\"") && strcontains(google_monitoring_alert_policy.failed_executions.conditions[0].condition_threshold[0].filter, "result=\"failed\"")
    error_message = "Failed executions of this job."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.degraded_share.conditions[0].condition_prometheus_query_language[0].query, "> 0.5 and sum(") && endswith(google_monitoring_alert_policy.degraded_share.conditions[0].condition_prometheus_query_language[0].query, ">= 20")
    error_message = "The share of an hour, and only where there are 20 answers at least."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.daily_cost.conditions[0].condition_prometheus_query_language[0].query, "user_content_worker_cost_usd_sum") && strcontains(google_monitoring_alert_policy.daily_cost.conditions[0].condition_prometheus_query_language[0].query, "[1d]") && endswith(google_monitoring_alert_policy.daily_cost.conditions[0].condition_prometheus_query_language[0].query, "> 7")
    error_message = "The sum of a day's costs."
  }

  assert {
    condition     = google_monitoring_alert_policy.degraded_share.conditions[0].condition_prometheus_query_language[0].disable_metric_validation && google_monitoring_alert_policy.daily_cost.conditions[0].condition_prometheus_query_language[0].disable_metric_validation
    error_message = "Metrics of the log do not exist before the first line: without this the first apply fails."
  }
}

run "silence_is_noticed_where_the_schedule_starts_often" {
  command = plan

  assert {
    condition     = google_monitoring_alert_policy.failed_executions.conditions[1].condition_absent[0].duration == "3600s"
    error_message = "An hour without a success is a reason, at a start every ten minutes."
  }
}

run "silence_means_nothing_where_the_schedule_starts_rarely" {
  command = plan

  variables {
    schedule = "0 3 * * *"
  }

  assert {
    condition     = length(google_monitoring_alert_policy.failed_executions.conditions) == 1
    error_message = "A job that runs once a night is silent all day."
  }
}

run "silence_means_nothing_while_the_schedule_is_paused" {
  command = plan

  variables {
    schedule_paused       = true
    silence_alert_minutes = 60
  }

  assert {
    condition     = length(google_monitoring_alert_policy.failed_executions.conditions) == 1
    error_message = "A paused schedule is silent on purpose."
  }

  assert {
    condition     = google_cloud_scheduler_job.start[0].paused
    error_message = "The schedule must be paused."
  }
}

run "silence_that_an_execution_may_need_means_nothing" {
  command = plan

  variables {
    task_timeout_seconds = 7200
  }

  assert {
    condition     = google_monitoring_alert_policy.failed_executions.conditions[1].condition_absent[0].duration == "14700s"
    error_message = "Two attempts of two hours are no silence."
  }
}

run "silence_is_told_in_whole_minutes" {
  command = plan

  variables {
    task_timeout_seconds = 7201
  }

  assert {
    condition     = google_monitoring_alert_policy.failed_executions.conditions[1].condition_absent[0].duration == "14760s"
    error_message = "Cloud Monitoring refuses a duration that is no multiple of a minute: it must be rounded up."
  }
}

run "a_fraction_of_a_minute_is_refused" {
  command = plan

  variables {
    silence_alert_minutes = 90.5
  }

  expect_failures = [var.silence_alert_minutes]
}

run "alerts_name_figures_and_not_how_they_are_made" {
  command = plan

  variables {
    daily_cost_alert_usd = 7
  }

  assert {
    condition     = google_monitoring_alert_policy.daily_cost.conditions[0].display_name == "More than 7 US dollars in 24 hours"
    error_message = "The name of the condition is what people read first: it must have the figure in it."
  }

  assert {
    condition = !strcontains(jsonencode([
      google_monitoring_alert_policy.oldest_unacked,
      google_monitoring_alert_policy.dead_letters,
      google_monitoring_alert_policy.failed_executions,
      google_monitoring_alert_policy.degraded_share,
      google_monitoring_alert_policy.daily_cost,
    ]), "$${")
    error_message = "A doubled dollar sign before a brace is not filled in."
  }
}

run "nobody_told_is_pointed_out" {
  command = plan

  variables {
    alert_emails = []
  }

  expect_failures = [check.somebody_is_told]
}

run "the_metrics_read_what_the_worker_logs" {
  command = plan

  assert {
    condition     = google_logging_metric.answered.label_extractors["mode"] == "EXTRACT(jsonPayload.mode)" && google_logging_metric.cost.value_extractor == "EXTRACT(jsonPayload.cost_usd)" && google_logging_metric.cost.metric_descriptor[0].value_type == "DISTRIBUTION"
    error_message = "Modes are counted, costs are added up."
  }

  assert {
    condition = alltrue([
      for metric in [google_logging_metric.answered, google_logging_metric.settled, google_logging_metric.errors, google_logging_metric.model_failures] :
      toset(keys(metric.label_extractors)) == toset([for label in metric.metric_descriptor[0].labels : label.key])
    ])
    error_message = "A label that is extracted must be declared, and the other way round: Google refuses the metric otherwise."
  }
}

run "the_dashboard_shows_queue_answers_cost_executions_and_the_log" {
  command = plan

  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles) == 10
    error_message = "Nine charts and the log."
  }

  assert {
    condition     = alltrue([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : try(tile.xPos, 0) + tile.width <= 48])
    error_message = "Tiles beyond the last column are refused."
  }

  assert {
    condition     = length(distinct([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : "${try(tile.xPos, 0)} ${try(tile.yPos, 0)}"])) == 10
    error_message = "No tile may hide another."
  }

  assert {
    condition     = length(regexall(":(0|\\[\\]|\\{\\}|null|\"\")[,}]", google_monitoring_dashboard.this.dashboard_json)) == 0
    error_message = "Google leaves zeros and empty values out of what it gives back: with them every plan would show a change."
  }
}
