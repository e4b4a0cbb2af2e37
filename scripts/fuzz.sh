#!/usr/bin/env bash
# Fuzzes each decoder that faces the network, with libFuzzer and any Rust toolchain.
#
#   scripts/fuzz.sh [SECONDS [TARGET…]]     half a minute for each target, unless told
#
# It begins with the samples in crates/fuzz-entries. Inputs that were worth keeping are in
# fuzz/corpus, those that broke something in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
target_dir=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")/fuzz
cd fuzz

seconds=${1:-30}
shift || true
host=$(rustc --version --verbose | sed -n 's/^host: //p')

# What `cargo fuzz --sanitizer none` passes: coverage, so that libFuzzer sees what an input reaches.
# With --target, build scripts and macros stay as they are.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Ccodegen-units=1"
cargo build --quiet --release --target "$host" --target-dir "$target_dir"

targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <(basename --suffix .rs targets/*.rs)
fi
failed=()
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=$(mktemp)
    if "$target_dir/$host/release/$target" "corpus/$target" \
        "../crates/fuzz-entries/samples/$target" -max_total_time="$seconds" \
        -max_len=4096 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="artifacts/$target/" 2>"$log"
    then
        printf '%-14s %s\n' "$target" "$(grep -o 'Done .* runs in .*' "$log" | tail -n 1)"
    else
        printf '%-14s FAILED\n' "$target"
        tail -n 30 "$log" >&2
        failed+=("$target")
    fi
    rm -f "$log"
done
if ((${#failed[@]})); then
    echo "a failing input is in fuzz/artifacts; again with: scripts/fuzz.sh 1 ${failed[*]}" >&2
    exit 1
fi
