#!/usr/bin/env bash
# Turns the action's inputs, which arrive as environment variables, into one command. None is ever read as shell code.
set -euo pipefail
shopt -s nullglob globstar

arguments=()
while IFS= read -r file; do
  [[ -n $file ]] && arguments+=(--output="$file")
done <<< "${REPORTS:-}"
[[ -n ${BASELINE:-} ]] && arguments+=(--baseline="$BASELINE")
[[ -n ${CONFIG:-} ]] && arguments+=(--config="$CONFIG")
[[ -n ${REQUIRE:-} ]] && arguments+=(--require="$REQUIRE")
[[ -n ${FAIL_ON:-} ]] && arguments+=(--fail-on="$FAIL_ON")

models=()
while IFS= read -r pattern; do
  [[ -z $pattern ]] && continue
  IFS= # a name with blanks stays one name
  # shellcheck disable=SC2206  # the pattern is meant to be expanded
  found=($pattern)
  # A pattern that fits nothing is handed on as it is, so that the audit says so instead of passing.
  if (( ${#found[@]} )); then models+=("${found[@]}"); else models+=("$pattern"); fi
done <<< "${MODELS:-}"

exec maskcheck audit "${arguments[@]}" -- "${models[@]}"
