# shellcheck shell=bash disable=SC2034,SC2154  # its variables are shared with the scripts that source it
# Going from one digest to another on all targets, or on none: look, tell, change, read back, put back.
# targets: KIND/NAME; before: the image by digest that each ran at first, empty when that cannot be known.

targets=() before=()

look_around() { # fills targets and before
  local target now
  list_targets
  before=()
  for target in "${targets[@]}"; do
    now=$(must_run "$target")
    before+=("$(resolved "${now%% *}")")
  done
}

tell() { # tell IMAGE: which target goes from what to what
  local index
  printf '%s, in project %s, region %s:\n  image  %s\n' "$me" "$project" "$region" "$(image_of "$1")"
  for index in "${!targets[@]}"; do
    printf '  %s\n    from  %s\n    to    %s\n' "${targets[index]/\// }" \
      "$(digest_or_unknown "${before[index]}")" "$(digest_of "$1")"
  done
}

digest_or_unknown() { # digest_or_unknown IMAGE
  if [[ -n $1 ]]; then digest_of "$1"; else echo "unknown: no digest of the registry, so it cannot be put back"; fi
}

all_run() { # all_run IMAGE
  local target
  for target in "${targets[@]}"; do runs "$target" "$1" || return 1; done
}

change() { # change IMAGE: every target to this digest
  local target
  for target in "${targets[@]}"; do
    runs "$target" "$1" || put "$target" "$1" || return 1
  done
}

put_back() { # put_back IMAGE: what each target ran before IMAGE; false when one of them does not
  local index whole=0
  for index in "${!targets[@]}"; do
    put_one_back "${targets[index]}" "${before[index]}" "$1" || whole=1
  done
  return "$whole"
}

put_one_back() { # put_one_back TARGET BEFORE IMAGE
  local now
  if [[ -z $2 ]]; then
    say "$1: nothing is known that could be put back."
    return 1
  fi
  if now=$(running "$1"); then
    if [[ $now == "$2 $(digest_of "$2")" ]]; then return 0; fi
    # Somebody else's newer deployment is not ours to undo.
    if [[ $now != *"$(digest_of "$3")"* && $now != *"$(digest_of "$2")"* ]]; then
      say "$1 is left alone: it runs neither digest of this deployment but $now."
      return 1
    fi
    put "$1" "$2" && return 0
  fi
  say "$1 could NOT be put back (see above). By hand:" \
    "scripts/deploy $2 --project $project --region $region --job $job --${1%%/*} ${1#*/}"
  return 1
}

undo() { # undo IMAGE REASON: puts back, says what runs now, and is the end
  local image=$1 index old
  shift
  trap '' INT TERM HUP
  say "$*"
  if put_back "$image"; then
    old=$(digest_of "${before[0]}")
    say "FAILED: $(digest_of "$image") is not deployed; $old runs again."
  else
    say "FAILED: $(digest_of "$image") did not pass, and not everything could be put back:"
    for index in "${!targets[@]}"; do
      say "  ${targets[index]} runs $(running "${targets[index]}" || true); before: $(digest_or_unknown "${before[index]}")"
    done
  fi
  say "logs: gcloud logging read 'resource.type=cloud_run_job AND resource.labels.job_name=$job'" \
    "--project=$project --freshness=1h --limit=50"
  exit 1
}
