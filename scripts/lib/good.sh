# shellcheck shell=bash disable=SC2034,SC2154  # its variables are shared with the scripts that source it
# The stack of digests that have passed their smoke test: tags deployed-<UTC time> in the registry, newest on top.
# Clean-up policies keep what has such a tag, so whatever is on the stack can be run again.

PREFIX=deployed-

good() { # good IMAGE-NAME: lines "TAG DIGEST", newest first
  local format='value[separator=" "](tag.basename(),version.basename())'
  local listed
  listed=$(gcloud artifacts docker tags list "$1" --project="$project" --format="$format" --quiet) || return 1
  sed -n "/^${PREFIX}[0-9]\{8\}T/p" <<<"$listed" | LC_ALL=C sort -r
}

free_tag() { # free_tag NEWEST: a tag that sorts above the newest one, even one of this second or from a clock ahead of ours
  local tag
  tag=$PREFIX$(date -u +%Y%m%dT%H%M%SZ)
  if [[ $tag > $1 ]]; then printf '%s\n' "$tag"; else printf '%s\n' "$1-1"; fi
}

remember() { # remember IMAGE@DIGEST: puts it on top, unless it is there already
  local name stack top newest tag
  name=$(image_of "$1")
  stack=$(good "$name") || return 1
  top=${stack%%$'\n'*}
  newest=${top%% *}
  if [[ -n $top && ${top##* } == $(digest_of "$1") ]]; then
    say "already recorded as $newest"
    return
  fi
  tag=$(free_tag "$newest")
  gcloud artifacts docker tags add "$1" "$name:$tag" --project="$project" --quiet >&2 || return 1
  say "recorded as $tag"
}

forget() { # forget IMAGE-NAME TAG: takes an entry off the stack
  gcloud artifacts docker tags delete "$1:$2" --project="$project" --quiet >&2 || return 1
  say "no longer recorded: $2"
}

resolved() { # resolved IMAGE: IMAGE by digest, asking the registry for a tag's; nothing when it does not know
  local digest
  digest=$(digest_of "$1")
  if [[ -z $digest ]]; then
    digest=$(gcloud artifacts docker images describe "$1" --project="$project" --quiet \
      --format='value(image_summary.digest)' 2>/dev/null || true)
  fi
  if is_digest "$digest"; then printf '%s@%s\n' "$(image_of "$1")" "$digest"; fi
}
