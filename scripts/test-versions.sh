#!/usr/bin/env bash
# The core of the suite with each newer PostgreSQL, as nodes behind Herd and as the oracle.
#
#   scripts/test-versions.sh             16, 17 and 18
#   scripts/test-versions.sh 18          only this one
#   SUITES='psycopg3 jdbc' scripts/test-versions.sh
set -euo pipefail
cd "$(dirname "$0")"

readonly SUITES=${SUITES:-pgbench psycopg3 asyncpg node jdbc rust routing}

main() {
    local version failed=()
    local versions=("$@")
    ((${#versions[@]})) || versions=(16 17 18)
    install
    for version in "${versions[@]}"; do
        local bin="$directory/node_modules/postgresql-$version/native/bin"
        printf '\n== %s\n' "$("$bin/postgres" --version)"
        # shellcheck disable=SC2086 # A list of words.
        PG_BIN=$bin HERD_TEST_PG_BIN=$bin ../tests/run $SUITES || failed+=("$version")
    done
    if ((${#failed[@]})); then
        echo "failed with PostgreSQL ${failed[*]}" >&2
        exit 1
    fi
}

# npm's packages of server programs, where user postgres can reach them when this runs as root.
install() {
    if ((EUID == 0)); then
        directory=/var/cache/herd-postgresql
    else
        directory=${XDG_CACHE_HOME:-$HOME/.cache}/herd-postgresql
    fi
    cmp --silent "$directory/installed" postgresql-versions/package-lock.json && return
    mkdir -p "$directory"
    cp postgresql-versions/package.json postgresql-versions/package-lock.json "$directory"
    (cd "$directory" && npm ci --silent --no-audit --no-fund)
    cp postgresql-versions/package-lock.json "$directory/installed"
}

main "$@"
