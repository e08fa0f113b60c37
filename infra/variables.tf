# Where it lives

variable "project_id" {
  description = "Id (not name, not number) of the Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the id of a project: 6 to 30 lower-case letters, digits and hyphens, as `gcloud projects list` shows it."
  }
}

variable "region" {
  description = "Region of the job, the schedule, the image and the builds, such as europe-west1. No default: where students' data is processed is somebody's decision."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region such as europe-west1, not a zone (europe-west1-b) and not a multi-region (eu)."
  }
}

variable "firestore_location" {
  description = "Location of the database: a region, eur3 (Europe) or nam5 (USA). It can never be changed. Default: the region."
  type        = string
  default     = null

  validation {
    condition     = var.firestore_location == null || can(regex("^([a-z]+-[a-z]+[0-9]+|eur3|nam5|nam7)$", var.firestore_location))
    error_message = "firestore_location is a region, or one of eur3, nam5, nam7."
  }
}

# What runs

variable "image" {
  description = <<-EOT
    The worker's image, by digest. Null keeps the digest that the job runs now, so that a plain apply never takes back what
    a build has deployed. `none` is for the first set-up, when there is no image yet: no job, no worker pool, no schedule.
  EOT
  type        = string
  default     = null

  # A tag is a promise that somebody can break: the image that runs must be the one that was tested. name:tag@sha256:… is
  # refused, too, because Cloud Run would go by the digest while people read the tag.
  validation {
    condition     = var.image == null || var.image == "none" || can(regex("^[a-z0-9.-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in a digest and have no tag: REGION-docker.pkg.dev/PROJECT/content-worker/worker@sha256:<64 hex digits>. scripts/build prints it. For a first set-up without an image: none."
  }
}

variable "task_count" {
  description = "Tasks of one execution; they share the queue."
  type        = number
  default     = 1

  validation {
    condition     = var.task_count >= 1 && var.task_count <= 10000 && floor(var.task_count) == var.task_count
    error_message = "task_count is a whole number from 1 to 10000."
  }
}

variable "parallelism" {
  description = "Tasks of one execution that run at the same time; 0 means as many as the quota allows."
  type        = number
  default     = 0

  validation {
    condition     = var.parallelism >= 0 && var.parallelism <= var.task_count && floor(var.parallelism) == var.parallelism
    error_message = "parallelism is a whole number from 0 to task_count."
  }
}

variable "task_timeout_seconds" {
  description = "After how many seconds Cloud Run ends a task. The worker stops pulling a minute before that."
  type        = number
  default     = 600

  validation {
    condition     = var.task_timeout_seconds >= 120 && var.task_timeout_seconds <= 604800 && floor(var.task_timeout_seconds) == var.task_timeout_seconds
    error_message = "task_timeout_seconds is a whole number from 120 (a minute of work and a minute to end in) to 604800 (seven days)."
  }
}

variable "max_retries" {
  description = "How often Cloud Run repeats a task that failed: 0 or 1. The queue keeps what was not done, and the next execution does it."
  type        = number
  default     = 1

  validation {
    condition     = contains([0, 1], var.max_retries)
    error_message = "max_retries is 0 or 1: more would repeat a broken configuration while the schedule starts the next execution anyway."
  }
}

variable "concurrency" {
  description = "Messages in flight in one task."
  type        = number
  default     = 64

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000 && floor(var.concurrency) == var.concurrency
    error_message = "concurrency is a whole number from 1 to 1000."
  }
}

variable "cpu" {
  description = "Processors of one task or instance: 1, 2, 4 or 8."
  type        = string
  default     = "1"

  validation {
    condition     = contains(["1", "2", "4", "8"], var.cpu)
    error_message = "cpu is 1, 2, 4 or 8."
  }

  # Cloud Run's own bounds; it would refuse the job in the middle of an apply.
  validation {
    condition = try(
      local.memory_mib >= lookup({ "4" = 2048, "8" = 4096 }, var.cpu, 512) && local.memory_mib <= 4096 * tonumber(var.cpu),
      true,
    )
    error_message = "cpu and memory do not go together: 1 processor takes 512Mi to 4Gi, 2 take 512Mi to 8Gi, 4 take 2Gi to 16Gi, 8 take 4Gi to 32Gi."
  }
}

variable "memory" {
  description = "Memory of one task or instance, such as 512Mi or 1Gi."
  type        = string
  default     = "1Gi"

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory))
    error_message = "memory is a number with Mi or Gi, such as 512Mi or 1Gi."
  }
}

variable "worker_settings" {
  description = "Further settings of the worker, by the names of its environment variables: WORKER_MODELS, WORKER_ON_OUTAGE, LOG_LEVEL, GOOGLE_CLOUD_LOCATION, … The README lists them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.worker_settings) : can(regex("^(WORKER_|LOG_)[A-Z_]+$|^GOOGLE_CLOUD_LOCATION$", name))])
    error_message = "worker_settings takes names that begin with WORKER_ or LOG_, and GOOGLE_CLOUD_LOCATION."
  }

  validation {
    condition     = length(setintersection(keys(var.worker_settings), local.managed_settings)) == 0
    error_message = "worker_settings must not set what Terraform sets itself: ${join(", ", setintersection(keys(var.worker_settings), local.managed_settings))}. Most of these have a variable of their own."
  }

  validation {
    condition     = length(setintersection(keys(var.worker_settings), local.secret_settings)) == 0
    error_message = "worker_settings must not hold secrets (${join(", ", setintersection(keys(var.worker_settings), local.secret_settings))}): they would stand in the state and in the job for all to read. They belong in Secret Manager."
  }
}

variable "student_key_version" {
  description = "Version of the secret content-worker-student-key that the worker uses. A fixed one: with another key the same student gets another reference, so a change is to be decided and planned."
  type        = string
  default     = "1"

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.student_key_version))
    error_message = "student_key_version is the number of a version, not `latest`: a version added by somebody would change every student's reference at the next execution."
  }
}

variable "worker_pool_instances" {
  description = "Instances of a worker pool that runs all the time and needs no schedule; 0 means that there is no pool. They are paid for while they are idle, too."
  type        = number
  default     = 0

  validation {
    condition     = var.worker_pool_instances >= 0 && var.worker_pool_instances <= 100 && floor(var.worker_pool_instances) == var.worker_pool_instances
    error_message = "worker_pool_instances is a whole number from 0 to 100."
  }
}

variable "binary_authorization" {
  description = "Whether the project's Binary Authorization policy decides which images may run."
  type        = bool
  default     = false
}

# When it runs

variable "schedule" {
  description = "When an execution is started, in cron's notation."
  type        = string
  default     = "*/10 * * * *"

  validation {
    condition     = can(regex("^\\S+( \\S+){4}$", var.schedule))
    error_message = "schedule has cron's five fields, separated by single spaces: */10 * * * *."
  }
}

variable "time_zone" {
  description = "Time zone of the schedule, by its name in the tz database."
  type        = string
  default     = "Etc/UTC"

  validation {
    condition     = can(regex("^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$", var.time_zone))
    error_message = "time_zone is a name of the tz database, such as Europe/Paris."
  }
}

variable "schedule_paused" {
  description = "Whether the schedule stands still, for example while a worker pool does the work."
  type        = bool
  default     = false
}

# What is kept

variable "message_retention_seconds" {
  description = "How long a question waits for a worker before Pub/Sub drops it: 10 minutes to 31 days."
  type        = number
  default     = 604800

  validation {
    condition     = var.message_retention_seconds >= 600 && var.message_retention_seconds <= 2678400
    error_message = "message_retention_seconds is from 600 (10 minutes) to 2678400 (31 days)."
  }
}

variable "result_ttl_days" {
  description = "After how many days results and stored answers expire."
  type        = number
  default     = 30

  validation {
    condition     = var.result_ttl_days >= 1 && var.result_ttl_days <= 3650 && floor(var.result_ttl_days) == var.result_ttl_days
    error_message = "result_ttl_days is a whole number from 1 to 3650."
  }
}

variable "point_in_time_recovery" {
  description = "Whether the database can be read and restored as it was at any minute of the last seven days. It costs storage, and deleted students' data stays readable for that long."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether database, secrets, job and worker pool are protected from being deleted."
  type        = bool
  default     = true
}

variable "images_kept" {
  description = "How many of the newest images are kept however old they are. Older ones go after 90 days."
  type        = number
  default     = 20

  validation {
    condition     = var.images_kept >= 5 && var.images_kept <= 1000 && floor(var.images_kept) == var.images_kept
    error_message = "images_kept is a whole number from 5 (the running image and those to go back to) to 1000."
  }
}

# Who may do what

variable "invokers" {
  description = "Who may start the job by hand, such as group:teachers@example.com."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.invokers : can(regex(local.member_pattern, member))])
    error_message = "invokers are user:, group:, serviceAccount:, principal: or principalSet: members. The public (allUsers, allAuthenticatedUsers) must never start the job."
  }
}

variable "operators" {
  description = "Who may review dead letters, send them again and read results, such as group:operators@example.com."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex(local.member_pattern, member))])
    error_message = "operators are user:, group:, serviceAccount:, principal: or principalSet: members. The public (allUsers, allAuthenticatedUsers) must never see what students asked."
  }
}

# Who is told what

variable "alert_emails" {
  description = "Addresses to which alerts are sent. Without any, alerts are only seen in the console."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails are e-mail addresses."
  }
}

variable "oldest_unacked_alert_minutes" {
  description = "Alert when the oldest question has waited for this many minutes."
  type        = number
  default     = 60

  validation {
    condition     = var.oldest_unacked_alert_minutes >= 5 && var.oldest_unacked_alert_minutes <= 10080
    error_message = "oldest_unacked_alert_minutes is from 5 to 10080 (a week)."
  }
}

variable "degraded_share_alert" {
  description = "Alert when more than this share of an hour's answers did not come from the best model: 0.2 is one in five."
  type        = number
  default     = 0.2

  validation {
    condition     = var.degraded_share_alert > 0 && var.degraded_share_alert < 1
    error_message = "degraded_share_alert is a share between 0 and 1."
  }
}

variable "daily_cost_alert_usd" {
  description = "Alert when models cost more than this many US dollars in the last 24 hours, failed attempts included."
  type        = number
  default     = 20

  validation {
    condition     = var.daily_cost_alert_usd > 0
    error_message = "daily_cost_alert_usd is more than 0."
  }
}

variable "silence_alert_minutes" {
  description = "Alert when no execution has succeeded for this many minutes although the schedule is on; 0 switches that off. Null: 60 where the schedule starts one at least every 20 minutes, otherwise off."
  type        = number
  default     = null

  validation {
    condition     = var.silence_alert_minutes == null || try(var.silence_alert_minutes == 0 || var.silence_alert_minutes >= 5 && var.silence_alert_minutes <= 1410 && floor(var.silence_alert_minutes) == var.silence_alert_minutes, false)
    error_message = "silence_alert_minutes is 0, or a whole number from 5 to 1410: Cloud Monitoring looks back for 23.5 hours at most."
  }
}

# How it is built

variable "container_scanning" {
  description = "Whether images are scanned for known vulnerabilities when they are pushed. Each image is billed."
  type        = bool
  default     = false
}

variable "github_repository" {
  description = "Repository whose pushes to a branch are built and deployed. Connect it to Cloud Build in the console first, in the same region (not global). Null: no trigger."
  type = object({
    owner  = string
    name   = string
    branch = optional(string, "main")
  })
  default = null

  validation {
    condition = var.github_repository == null || try(
      can(regex("^[A-Za-z0-9-]+$", var.github_repository.owner))
      && can(regex("^[A-Za-z0-9._-]+$", var.github_repository.name))
      && can(regex("^[A-Za-z0-9._/-]+$", var.github_repository.branch)),
      false,
    )
    error_message = "github_repository has owner and name as in github.com/OWNER/NAME, and the name of a branch, not a pattern."
  }
}
