#!/usr/bin/env bash
# Which digest has what was just pushed? A step of cloudbuild.yaml; docker on this machine must have pushed it.
#   scripts/lib/resolve.sh REPOSITORY/IMAGE:TAG FILE    writes REPOSITORY/IMAGE@sha256:… into FILE
# The answer is docker's own record of the push: a tag in the registry may have been moved since.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

(($# == 2)) || fail 2 "two arguments are needed: IMAGE:TAG and FILE."
name=$(image_of "$1")
pushed=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1")
reference=$(sed -n "s|^\($name@sha256:[0-9a-f]\{64\}\)\$|\1|p" <<<"$pushed" | head -n 1)
[[ -n $reference ]] || fail 1 "docker knows no digest of $1 under which it was pushed: docker push $1"
mkdir -p "$(dirname "$2")"
printf '%s\n' "$reference" >"$2"
say "$reference"
