# shellcheck shell=bash disable=SC2034,SC2154  # its variables are shared with the scripts that source it
# What runs the image on Cloud Run: one job, and where they are named a worker pool and services. A target is KIND/NAME.
# The image and what the process knows of it (WORKER_IMAGE_DIGEST, stored in every result) are only ever changed together.

job=content-worker worker_pool='' services=''

on() { # on TARGET VERB [ARGUMENTS]: gcloud run … VERB NAME …
  local target=$1 verb=$2
  shift 2
  local place=("--project=$project" "--region=$region" --quiet)
  case $target in
    job/*) gcloud run jobs "$verb" "${target#*/}" "${place[@]}" "$@" ;;
    # Without beta worker pools are known to recent versions only.
    worker-pool/*) gcloud beta run worker-pools "$verb" "${target#*/}" "${place[@]}" "$@" ;;
    service/*) gcloud run services "$verb" "${target#*/}" "${place[@]}" "$@" ;;
  esac
}

running() { # running TARGET: "IMAGE DIGEST", the second as the process is told it
  local containers='spec.template.spec.containers[0]'
  if [[ $1 == job/* ]]; then containers='spec.template.spec.template.spec.containers[0]'; fi
  local told="$containers.env.filter(\"name=WORKER_IMAGE_DIGEST\").extract(\"value\").flatten()"
  on "$1" describe --format="value[separator=\" \"]($containers.image,$told)"
}

must_run() { # must_run TARGET: as running, and the end when it cannot be had
  running "$1" || fail 2 "$1 cannot be read (see above). If it does not exist yet, create it:" \
    "terraform -chdir=infra apply -var image=\"\$(scripts/build)\". Nothing was changed."
}

runs() { # runs TARGET IMAGE: whether it runs this image and knows it
  local now
  now=$(running "$1") && [[ $now == "$2 $(digest_of "$2")" ]]
}

put() { # put TARGET IMAGE: makes it run this digest, and looks whether it really does
  say "${1/\// } → $(digest_of "$2")"
  on "$1" update --image="$2" --update-env-vars="WORKER_IMAGE_DIGEST=$(digest_of "$2")" >&2 || return 1
  # A service may have been pinned to an older revision by hand: that would go on answering.
  if [[ $1 == service/* ]]; then on "$1" update-traffic --to-latest >&2 || return 1; fi
  runs "$1" "$2" && return 0
  say "$1 does not run $(digest_of "$2") although its update was reported as done; it runs: $(running "$1" || true)"
  return 1
}

names_of_services() { # the services, one a line; commas and blanks divide them
  tr -s ', ' '\n' <<<"$services" | sed '/^$/d'
}

list_targets() { # into the array targets
  local name
  targets=("job/$job")
  if [[ -n $worker_pool ]]; then targets+=("worker-pool/$worker_pool"); fi
  while read -r name; do targets+=("service/$name"); done < <(names_of_services)
}

place_option() { # place_option OPTION [VALUE]: what deploy, rollback and smoke share
  case $1 in
    --project | --region | --job) needs_value "$@" ;;
    *) unknown "$1" ;;
  esac
  case $1 in
    --project) project=$2 ;;
    --region) region=$2 ;;
    --job) job=$2 ;;
  esac
}

target_option() { # target_option OPTION [VALUE]: what deploy and rollback share besides
  case $1 in
    --worker-pool | --service) needs_value "$@" ;;
    *) place_option "$@" ;;
  esac
  case $1 in
    --worker-pool) worker_pool=$2 ;;
    --service) services="$services $2" ;;
  esac
}
