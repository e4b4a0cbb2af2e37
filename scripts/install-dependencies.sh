#!/usr/bin/env bash
# Installs what Debian has and a step of the Makefile needs; quick when all is there.
#
#   scripts/install-dependencies.sh demo    a C linker and PostgreSQL's server programs
#   scripts/install-dependencies.sh test    the same, and the clients of tests/
#   scripts/install-dependencies.sh bench   the same as demo, and PgBouncer
set -euo pipefail
cd "$(dirname "$0")/.."

readonly POSTGRESQL_MAJOR=15
missing=()

main() {
    case "${1:-}" in
        demo) need_demo ;;
        test) need_demo && need_test ;;
        bench) need_demo && need_bench ;;
        *) echo "usage: $0 demo|test|bench" >&2 && exit 2 ;;
    esac
    if ((${#missing[@]})); then
        install_packages "${missing[@]}"
    fi
    if ! has cargo; then
        echo "A Rust toolchain is needed: see https://rustup.rs" >&2
        exit 1
    fi
}

need_demo() {
    has cc || missing+=(gcc libc6-dev)
    has_server || missing+=("postgresql-$POSTGRESQL_MAJOR")
}

need_test() {
    has psql || missing+=("postgresql-client-$POSTGRESQL_MAJOR")
    has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
    has node || missing+=(nodejs)
    has npm || missing+=(npm)
    java_compiles || missing+=(default-jdk-headless)
    has sqlsmith || missing+=(sqlsmith)
    [[ -e /usr/share/java/postgresql.jar ]] || missing+=(libpostgresql-jdbc-java)
}

need_bench() {
    has python3 || missing+=(python3)
    has pgbouncer || [[ -x /usr/sbin/pgbouncer ]] || missing+=(pgbouncer)
}

has() {
    command -v "$1" >/dev/null
}

# As `herd demo` looks for it.
has_server() {
    [[ -n "${PG_BIN:-}" ]] && return
    local bin
    for bin in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
        [[ -x "$bin/initdb" && -x "$bin/pg_ctl" && -x "$bin/postgres" ]] && return
    done
    return 1
}

# `java File.java` needs the compiler, which a run-time environment lacks.
java_compiles() {
    has java && java --list-modules 2>/dev/null | grep -q '^jdk.compiler@'
}

# Debian would make and start a cluster for a new server, and start pgbouncer: nobody asked for those.
install_packages() {
    local as_root=()
    if ((EUID != 0)); then
        has sudo || { echo "Run as root, or install: $*" >&2 && exit 1; }
        as_root=(sudo)
    fi
    echo "Installing $*" >&2
    "${as_root[@]}" bash -euo pipefail -s -- "$@" <<'SCRIPT'
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
undo=("$clusters")
mkdir -p "${clusters%/*}"
echo 'create_main_cluster = false' >"$clusters"
if [[ ! -e $policy ]]; then
    undo+=("$policy")
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
trap 'rm -f "${undo[@]}"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
SCRIPT
}

main "$@"
