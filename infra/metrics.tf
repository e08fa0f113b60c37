# Figures read off the worker's log: one JSON object a line, `message` is the event's name (worker/logs.py).

locals {
  # The same events come from the job, from the worker pool, and from a service that takes Pub/Sub's pushes.
  log_sources = ["cloud_run_job", "cloud_run_worker_pool", "cloud_run_revision"]
  from_worker = "resource.type=(${join(" OR ", [for source in local.log_sources : "\"${source}\""])})"

  # Every line that says what was spent, each dollar in one of them.
  tells_costs = "jsonPayload.message=(\"message.settled\" OR \"message.spent_late\" OR \"debt.settled\" OR \"model.probed\")"

  # Ours among the project's jobs, pools and services: their names begin alike.
  our_names = join(" OR ", [
    "resource.labels.job_name=\"${local.name}\"",
    "resource.labels.worker_pool_name=\"${local.name}-pool\"",
    "resource.labels.service_name=~\"^${local.name}\"",
  ])
}

resource "google_logging_metric" "answered" {
  project     = var.project_id
  name        = "content_worker_answered"
  description = "Questions answered, by the rung that answered (live, fallback, mock) and by status."

  # Blocked and failed requests are no answers of a rung, good or bad.
  filter = "${local.from_worker} AND jsonPayload.message=\"message.settled\" AND jsonPayload.status=(\"completed\" OR \"needs_clarification\" OR \"out_of_scope\")"

  label_extractors = {
    mode   = "EXTRACT(jsonPayload.mode)"
    status = "EXTRACT(jsonPayload.status)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "mode"
      description = "The lowest rung that any stage fell to: live, fallback or mock."
    }

    labels {
      key         = "status"
      description = "Status of the result."
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "settled" {
  project     = var.project_id
  name        = "content_worker_settled"
  description = "Messages settled, by what became of them: ack, retry, dead_letter; none for work that was cut short after it had cost something."
  filter      = "${local.from_worker} AND jsonPayload.message=\"message.settled\""

  label_extractors = {
    action = "EXTRACT(jsonPayload.action)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "action"
      description = "What became of the message."
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "cost" {
  project         = var.project_id
  name            = "content_worker_cost_usd"
  description     = "What models were paid for one attempt at a message or a debt, however it ended, in US dollars. Calls of unknown price are not in it."
  filter          = "${local.from_worker} AND ${local.tells_costs} AND jsonPayload.cost_usd>=0"
  value_extractor = "EXTRACT(jsonPayload.cost_usd)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "{USD}"
  }

  # From a hundredth of a cent to over a hundred dollars.
  bucket_options {
    exponential_buckets {
      scale              = 0.0001
      growth_factor      = 2
      num_finite_buckets = 21
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "unknown_costs" {
  project     = var.project_id
  name        = "content_worker_unknown_costs"
  description = "Attempts of which a part has no known price: the bill is higher than content_worker_cost_usd."
  filter      = "${local.from_worker} AND ${local.tells_costs} AND jsonPayload.cost_is_complete=false"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "errors" {
  project     = var.project_id
  name        = "content_worker_errors"
  description = "What the worker logged as an error, by event: outages, broken configuration, bugs."
  filter      = "${local.from_worker} AND (${local.our_names}) AND severity>=ERROR"

  label_extractors = {
    event = "EXTRACT(jsonPayload.message)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "event"
      description = "Name of the event, such as run.not_started."
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "model_failures" {
  project     = var.project_id
  name        = "content_worker_model_failures"
  description = "Models that did not answer a question (rung.failed) or are not asked any more (rung.closed), by kind of failure."
  filter      = "${local.from_worker} AND jsonPayload.message=(\"rung.failed\" OR \"rung.closed\")"

  label_extractors = {
    event = "EXTRACT(jsonPayload.message)"
    kind  = "EXTRACT(jsonPayload.kind)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "event"
      description = "rung.failed or rung.closed."
    }

    labels {
      key         = "kind"
      description = "Kind of the failure, such as quota or timeout."
    }
  }

  depends_on = [google_project_service.api]
}

locals {
  # A metric of the log goes with any kind of resource, so PromQL wants each kind named; `or` puts the series together.
  series = { for name, metric in {
    answered       = "logging_googleapis_com:user_${google_logging_metric.answered.name}"
    cost           = "logging_googleapis_com:user_${google_logging_metric.cost.name}_sum"
    settled        = "logging_googleapis_com:user_${google_logging_metric.settled.name}"
    errors         = "logging_googleapis_com:user_${google_logging_metric.errors.name}"
    model_failures = "logging_googleapis_com:user_${google_logging_metric.model_failures.name}"
    } : name => {
    hour     = join(" or ", [for source in local.log_sources : "increase(${metric}{monitored_resource=\"${source}\"}[1h])"])
    day      = join(" or ", [for source in local.log_sources : "increase(${metric}{monitored_resource=\"${source}\"}[1d])"])
    degraded = join(" or ", [for source in local.log_sources : "increase(${metric}{monitored_resource=\"${source}\",mode!=\"live\"}[1h])"])
  } }
}
