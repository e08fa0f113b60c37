locals {
  of_requests     = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.requests.name}\""
  of_dead_letters = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
  of_job          = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${local.name}\""

  # Charts of Google's own metrics.
  gauges = [
    { title = "Questions waiting", filter = "${local.of_requests} AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"", aligner = "ALIGN_MAX", by = "resource.label.subscription_id" },
    { title = "Age of the oldest question (s)", filter = "${local.of_requests} AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"", aligner = "ALIGN_MAX", by = "resource.label.subscription_id" },
    { title = "Dead letters waiting for a person", filter = "${local.of_dead_letters} AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"", aligner = "ALIGN_MAX", by = "resource.label.subscription_id" },
    { title = "Executions by result", filter = "${local.of_job} AND metric.type=\"run.googleapis.com/job/completed_execution_count\"", aligner = "ALIGN_DELTA", by = "metric.label.result" },
  ]

  # Charts of what the worker logs.
  counts = [
    { title = "Answers in the last hour, by mode", query = "sum by (mode) (${local.series.answered.hour})" },
    { title = "Cost of the last hour (US dollars)", query = "sum(${local.series.cost.hour})" },
    { title = "Messages of the last hour, by what became of them", query = "sum by (action) (${local.series.settled.hour})" },
    { title = "Models that did not answer, in the last hour, by kind", query = "sum by (kind) (${local.series.model_failures.hour})" },
    { title = "Errors of the last hour, by event", query = "sum by (event) (${local.series.errors.hour})" },
  ]

  charts = concat(
    [for chart in local.gauges : {
      title = chart.title
      query = {
        timeSeriesFilter = {
          filter = chart.filter
          aggregation = {
            alignmentPeriod    = "300s"
            perSeriesAligner   = chart.aligner
            crossSeriesReducer = "REDUCE_SUM"
            groupByFields      = [chart.by]
          }
        }
      }
    }],
    [for chart in local.counts : {
      title = chart.title
      query = { prometheusQuery = chart.query }
    }],
  )

  # Two charts in a row of 48 columns, the log below them. Zeros and empty lists are left out here because Google leaves them
  # out of what it gives back: with them every plan would show a change.
  chart_tiles = [for index, chart in local.charts : merge(
    { for side, place in { xPos = index % 2 * 24, yPos = floor(index / 2) * 16 } : side => place if place > 0 },
    {
      width  = 24
      height = 16
      widget = {
        title   = chart.title
        xyChart = { dataSets = [{ plotType = "LINE", targetAxis = "Y1", timeSeriesQuery = chart.query }] }
      }
    },
  )]

  log_tile = {
    yPos   = ceil(length(local.charts) / 2) * 16
    width  = 48
    height = 20
    widget = {
      title = "Warnings and errors"
      logsPanel = {
        filter = "${local.from_worker} AND (${local.our_names}) AND severity>=WARNING"
      }
    }
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id

  dashboard_json = jsonencode({
    displayName  = "Content worker"
    mosaicLayout = { columns = 48, tiles = concat(jsondecode(jsonencode(local.chart_tiles)), [local.log_tile]) }
  })

  depends_on = [google_project_service.api]
}
