#!/usr/bin/env bash
# Everything that `make test` checks: one step after the other, all of them even if one fails, and a
# table of their times at the end.
#
#   scripts/test.sh              all steps
#   scripts/test.sh lint units   only these
set -euo pipefail
cd "$(dirname "$0")/.."

readonly STEPS=(format lint tidy documents units clients)
names=() seconds=() verdicts=()

format() { cargo fmt --all --check; }
lint() { cargo clippy --quiet --workspace --all-targets -- --deny warnings; }
tidy() { cargo xtask tidy; }
documents() { RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --workspace --no-deps; }
units() { cargo test --quiet --workspace; }
clients() { cargo build --quiet --package herd && tests/run; }

main() {
    local step failed=0
    for step in "${@:-${STEPS[@]}}"; do
        [[ " ${STEPS[*]} " == *" $step "* ]] || { echo "no step $step: ${STEPS[*]}" >&2 && exit 2; }
        perform "$step" || failed=$((failed + 1))
    done
    report
    echo "$((${#names[@]} - failed)) passed, $failed failed"
    ((failed == 0))
}

perform() {
    local start=$SECONDS verdict=passed
    printf '\n== %s\n' "$1"
    # In a process of its own: `set -e` does not hold inside a function that is a condition.
    bash -euo pipefail -c "$(declare -f "$1"); $1" || verdict=FAILED
    names+=("$1") seconds+=("$((SECONDS - start))") verdicts+=("$verdict")
    [[ $verdict == passed ]]
}

report() {
    local index
    printf '\n%-12s %8s  %s\n' step seconds verdict
    for index in "${!names[@]}"; do
        printf '%-12s %8d  %s\n' "${names[index]}" "${seconds[index]}" "${verdicts[index]}"
    done
}

main "$@"
