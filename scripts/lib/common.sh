# shellcheck shell=bash disable=SC2034,SC2154  # its variables are shared with the scripts that source it
# What build, deploy, rollback and smoke share: options, talking and asking, and which project and region are meant.
# Exit codes of all four: 0 done; 1 it went wrong, and the message says what runs now; 2 wrong use, nothing was changed;
# 3 stopped before any change (declined, or nothing to do it with).

me=${0##*/}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
project='' region='' yes='' dry_run=''

say() { # say TEXT: progress and warnings; standard output is for plans and results
  printf '%s: %s\n' "$me" "$*" >&2
}

fail() { # fail CODE TEXT: what happened and what to do, then the end
  local code=$1
  shift
  say "$*"
  exit "$code"
}

usage() { # the comment at the top of the script
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

split_options() { # split_options ARGUMENTS: into the array words, where --name=value is --name value
  local word
  words=()
  for word in "$@"; do
    if [[ $word == --*=* ]]; then words+=("${word%%=*}" "${word#*=}"); else words+=("$word"); fi
  done
}

needs_value() { # needs_value OPTION [VALUE]
  (($# >= 2)) || fail 2 "$1 needs a value; $me --help shows examples."
}

unknown() { # unknown WORD
  fail 2 "'$1' is not understood; $me --help shows what is."
}

whole_seconds() { # whole_seconds OPTION VALUE; a leading 0 would be octal
  [[ $2 == 0 || $2 =~ ^[1-9][0-9]*$ ]] || fail 2 "$1 takes whole seconds, not '$2'."
}

needs_to_smoke() { # what the smoke test needs on this machine, asked before anything is changed
  local program
  for program in curl python3; do
    command -v "$program" >/dev/null || fail 2 "$program is needed to read the result of the smoke test; install it."
  done
}

find_place() { # sets project and region from the options, the environment or gcloud's configuration
  command -v gcloud >/dev/null || fail 2 "gcloud is not installed. Install the Google Cloud CLI and run gcloud auth login."
  project=${project:-${GOOGLE_CLOUD_PROJECT:-$(gcloud config get project 2>/dev/null || true)}}
  [[ -n $project ]] || fail 2 "which project? Give --project ID, set GOOGLE_CLOUD_PROJECT, or run: gcloud config set project ID"
  region=${region:-$(gcloud config get run/region 2>/dev/null || true)}
  [[ -n $region ]] || fail 2 "which region? Give --region NAME, or run: gcloud config set run/region europe-west1"
}

confirm() { # goes on with --yes or a yes at the terminal
  local answer
  [[ -z $yes ]] || return 0
  [[ -t 0 ]] || fail 2 "nobody can be asked here: add --yes to go on, or --dry-run to see the plan only. Nothing was changed."
  read -r -p "$me: go on? [y/N] " answer
  [[ $answer == [yY]* ]] || fail 3 "nothing was changed."
}

is_digest() { # is_digest TEXT
  [[ $1 =~ ^sha256:[0-9a-f]{64}$ ]]
}

digest_of() { # digest_of IMAGE: its digest, or nothing when it is named by a tag
  if [[ $1 == *@* ]] && is_digest "${1##*@}"; then printf '%s\n' "${1##*@}"; fi
}

image_of() { # image_of IMAGE: its name without digest and tag
  local name=${1%%@*}
  if [[ ${name##*/} == *:* ]]; then name=${name%:*}; fi
  printf '%s\n' "$name"
}
