# A project in which nothing is made and nothing is asked of Google.

mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}

override_resource {
  target = google_service_account.worker
  values = {
    email  = "content-worker@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:content-worker@my-project.iam.gserviceaccount.com"
    name   = "projects/my-project/serviceAccounts/content-worker@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.start
  values = {
    email  = "content-worker-start@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:content-worker-start@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.build
  values = {
    email  = "content-worker-build@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:content-worker-build@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.http
  values = {
    email  = "content-worker-http@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:content-worker-http@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_pubsub_topic.requests
  values = {
    id = "projects/my-project/topics/content-requests"
  }
}

override_resource {
  target = google_pubsub_topic.dead_letters
  values = {
    id = "projects/my-project/topics/content-requests-dead"
  }
}
