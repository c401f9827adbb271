#!/usr/bin/env bash
# Runs every fuzz target for a short while: fuzz.sh [SECONDS each] [TARGET…]
#
# Stable Rust will do: the compiler's coverage pass is a code generation option, and the engine (libFuzzer) is built from
# source. A crash leaves its input in fuzz/artifacts; run it alone with fuzz.sh 1 TARGET INPUT.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-20}
shift || true
input=()
case ${2-} in */*) input=("$(cd .. && realpath "$2")") ;; esac
if [ $# -gt 0 ]; then targets=("${@:1:$(($# - ${#input[@]}))}"); else
    mapfile -t targets < <(sed -n '/^\[\[bin\]\]/,/^name/ s/^name = "\(.*\)"/\1/p' Cargo.toml)
fi
command -v c++ >/dev/null || { echo "the fuzzing engine needs a C++ compiler: apt-get install g++" >&2; exit 1; }

host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=$PWD/target
# For the target alone (--target), so that build scripts and macros stay as they are.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --target "$host" $(printf -- '--bin %s ' "${targets[@]}")

run() { # target: one line in the end, and all of the engine's words if it failed
    local name=$1 log
    log=$(mktemp)
    mkdir -p "corpus/$name" "artifacts/$name"
    if "target/$host/release/$name" "corpus/$name" "seeds/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=4096 -verbosity=1 -print_final_stats=1 -artifact_prefix="artifacts/$name/" >"$log" 2>&1; then
        echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no crash"
        rm "$log"
    else
        tail -n 60 "$log"
        echo "fuzz $name: CRASH (the input is in fuzz/artifacts/$name)"
        rm "$log"
        return 1
    fi
}

if [ ${#input[@]} -gt 0 ]; then
    exec "target/$host/release/${targets[0]}" "${input[@]}"
fi
# One on each core.
failed=0 running=0
for name in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=$((failed + 1))
        running=$((running - 1))
    fi
    run "$name" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
