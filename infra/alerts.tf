# Each alert says cause and fix; the rest stands in docs/operations.md under the anchor that it names.

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  # A share of few answers says nothing.
  least_answers_for_a_share = 20

  starts_often    = can(regex("^\\*(/([1-9]|1[0-9]|20))?( \\*){4}$", var.schedule))
  silence_minutes = coalesce(var.silence_alert_minutes, local.starts_often ? 60 : 0)

  # An execution may take this long and still succeed; a shorter silence means nothing. Cloud Monitoring takes whole minutes.
  longest_execution_seconds = var.task_timeout_seconds * (1 + var.max_retries) + 300
  silence_seconds           = 60 * max(local.silence_minutes, ceil(local.longest_execution_seconds / 60))

  # 84600: Cloud Monitoring looks back for 23.5 hours at most.
  watches_for_silence = local.silence_minutes > 0 && !var.schedule_paused && local.runs && local.silence_seconds <= 84600
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  project      = var.project_id
  display_name = "Content worker: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = local.labels

  depends_on = [google_project_service.api]
}

check "somebody_is_told" {
  assert {
    condition     = length(var.alert_emails) > 0
    error_message = "alert_emails is empty: alerts are made, but nobody is told of them."
  }
}

resource "google_monitoring_alert_policy" "oldest_unacked" {
  project               = var.project_id
  display_name          = "Content worker: questions wait too long"
  severity              = "ERROR"
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "The oldest question has waited for more than ${var.oldest_unacked_alert_minutes} minutes"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.requests.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.oldest_unacked_alert_minutes * 60
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Content worker: questions wait too long"
    content   = <<-EOT
      The oldest question on `${local.subscription}` has waited for more than ${var.oldest_unacked_alert_minutes} minutes. Nothing is lost: Pub/Sub keeps it for ${floor(var.message_retention_seconds / 3600)} hours.

      **Cause**, most likely first: no execution runs (schedule paused, broken configuration); executions fail (see their alert); more questions come than are answered; the models are away and `WORKER_ON_OUTAGE` is `hold`.

      **Fix**: `gcloud run jobs executions list --job ${local.name} --region ${var.region}` shows whether it runs and how it ended. If it runs well, raise `task_count`, or `worker_pool_instances` for continuous work. One message alone that stays away for long is put off after failures and becomes an answer or a dead letter by itself.

      More: docs/operations.md#alert-oldest-unacked
    EOT
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "Content worker: dead letters wait for a person"
  severity              = "WARNING"
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "Dead letters wait for review"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  # The worker's own dead letters are not in this figure: these are messages that no worker lived to explain.
  conditions {
    display_name = "Pub/Sub gave a message up after 100 deliveries"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.requests.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Content worker: dead letters wait for a person"
    content   = <<-EOT
      Messages that no attempt could answer wait in `${local.dead_letter_subscription}`. They are kept for 31 days, then they are gone.

      **Cause**: messages that are no valid questions (a publisher changed), or the same failure five times over. Each says its cause: `error_kind`, `error_stage`, `fingerprint`. Those without these attributes ended the process at every delivery: look for executions that were killed for memory.

      **Fix**: `content-worker dead-letters list` groups them by cause, `show` shows one, `redrive --fingerprint … --execute` sends a group again once the cause is mended.

      More: docs/operations.md#alert-dead-letters
    EOT
  }

  alert_strategy {
    auto_close = "604800s"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "failed_executions" {
  project               = var.project_id
  display_name          = "Content worker: executions fail"
  severity              = "ERROR"
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "An execution failed"

    condition_threshold {
      filter          = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${local.name}\" AND resource.labels.location=\"${var.region}\" AND metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"failed\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }

  # Failures are only seen of executions that start. This sees a schedule that starts none, and one that never ends.
  dynamic "conditions" {
    for_each = local.watches_for_silence ? [local.silence_seconds] : []

    content {
      display_name = "No execution has succeeded for ${floor(conditions.value / 60)} minutes"

      condition_absent {
        filter   = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${local.name}\" AND resource.labels.location=\"${var.region}\" AND metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"succeeded\""
        duration = "${conditions.value}s"

        aggregations {
          alignment_period   = "300s"
          per_series_aligner = "ALIGN_DELTA"
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Content worker: executions fail"
    content   = <<-EOT
      An execution of the job `${local.name}` failed, or none has succeeded for a while although the schedule is on. Nothing is lost: what was not answered is still in the queue.

      **Cause**, by the exit code of its task: 75 queue or store unreachable, or no model answers and `WORKER_ON_OUTAGE` is `hold`; 78 a setting or a right that only a person can mend; 1 a bug (`message.crashed` says where); killed: out of memory, or longer than ${var.task_timeout_seconds} s. No execution at all: the schedule is paused or `${google_service_account.start.account_id}` may not start the job.

      **Fix**: `gcloud run jobs executions list --job ${local.name} --region ${var.region}`, then the log of the failed one; the lines `run.not_started` and `run.ending` name cause and fix. If it began with a deployment: scripts/rollback.

      More: docs/operations.md#alert-failed-executions
    EOT
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_project_service.api]
}

# The two below ask for metrics that appear with the first log line. A PromQL condition can be made before that
# (disable_metric_validation); a threshold on a metric this young is refused for some ten minutes, and the first apply
# with it.

resource "google_monitoring_alert_policy" "degraded_share" {
  project               = var.project_id
  display_name          = "Content worker: many answers are degraded"
  severity              = "WARNING"
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "More than ${var.degraded_share_alert * 100} % of the last hour's answers are degraded"

    condition_prometheus_query_language {
      query = join(" ", [
        "sum(${local.series.answered.degraded}) / sum(${local.series.answered.hour}) > ${var.degraded_share_alert}",
        "and sum(${local.series.answered.hour}) >= ${local.least_answers_for_a_share}",
      ])
      duration                  = "0s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Content worker: many answers are degraded"
    content   = <<-EOT
      More than ${var.degraded_share_alert * 100} % of the last hour's answers came from a fallback model or from the offline mock. Every such result carries a debt, so nothing has to be sent again.

      **Cause**: the best model of the ladder refuses or does not answer: quota used up (`kind` quota), model retired or not offered in this location (404), a right missing (403), an outage.

      **Fix**: the log lines `rung.closed` and `rung.failed` name model, cause and fix. Raise the quota, change `WORKER_MODELS` in `worker_settings`, or wait. Afterwards `content-worker heal` answers the debts with the better model.

      More: docs/operations.md#alert-degraded-share
    EOT
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "daily_cost" {
  project               = var.project_id
  display_name          = "Content worker: models cost more than planned"
  severity              = "WARNING"
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "More than ${var.daily_cost_alert_usd} US dollars in 24 hours"

    condition_prometheus_query_language {
      query                     = "sum(${local.series.cost.day}) > ${var.daily_cost_alert_usd}"
      duration                  = "0s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Content worker: models cost more than planned"
    content   = <<-EOT
      Models cost more than ${var.daily_cost_alert_usd} US dollars in the last 24 hours, failed attempts and dead letters included, by the prices the worker knows. Calls of unknown price are not counted (`content_worker_unknown_costs` says how many attempts had one), so the bill may be higher.

      **Cause**: more questions than usual, a dearer model in `WORKER_MODELS`, longer scripts, questions that fail again and again, or one publisher that sends the same questions under new ids.

      **Fix**: the dashboard shows cost and questions by the hour. To stop paying now: `schedule_paused = true` (questions wait), or `WORKER_MODELS = "mock"` in `worker_settings` (answers from the catalogue, with a debt each). A higher bound is `daily_cost_alert_usd`.

      More: docs/operations.md#alert-daily-cost
    EOT
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_project_service.api]
}
