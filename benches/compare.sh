#!/usr/bin/env bash
# Compares knarr with the kubectl on PATH against the same server, in one run, and prints a table of medians and ratios.
#
#   benches/compare.sh [PATH-OF-KNARR]     (target/release/knarr; RUNS=15 runs of each, OBJECTS=500)
#
# Without a kubectl only knarr's own figures are printed. With hyperfine on PATH, it measures; else a loop does.
set -euo pipefail
cd "$(dirname "$0")/.."
knarr=$(realpath "${1:-target/release/knarr}")
kubectl=$(command -v kubectl || true)
runs=${RUNS:-15}
objects=${OBJECTS:-500}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
export HOME=$work KUBECONFIG=$work/kubeconfig
unset KNARR_EMBEDDED

# The median wall time in milliseconds of RUNS runs of a command, after one that fills caches.
median_ms() {
  "$@" >/dev/null
  if command -v hyperfine >/dev/null; then
    hyperfine --shell=none --runs "$runs" --export-json "$work/h.json" -- "$(printf '%q ' "$@")" >/dev/null 2>&1
    sed -n 's/.*"median": \([0-9.e-]*\).*/\1/p' "$work/h.json" | awk '{printf "%.2f\n", $1 * 1000; exit}'
    return
  fi
  for _ in $(seq "$runs"); do
    local begin=${EPOCHREALTIME/[.,]/}
    "$@" >/dev/null
    local end=${EPOCHREALTIME/[.,]/}
    echo $((end - begin))
  done | sort -n | awk '{t[NR] = $1} END {printf "%.2f\n", t[int((NR + 1) / 2)] / 1000}'
}

# The greatest resident memory of a command in MB.
peak_mb() {
  if [ -x /usr/bin/time ]; then
    /usr/bin/time -f %M -o "$work/peak" "$@" >/dev/null
  else
    python3 - "$work/peak" "$@" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True)
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
PY
  fi
  awk '{printf "%.1f\n", $1 / 1024}' "$work/peak"
}

# One line: what, unit, knarr's figure, kubectl's figure, their ratio.
line() { awk -v w="$1" -v u="$2" -v a="$3" -v b="$4" 'BEGIN {
  if (b == "") printf "%-44s %10s %s\n", w, a, u; else printf "%-44s %10s %s %10s %s   1/%.0f\n", w, a, u, b, u, b / a }'; }

# compare WHAT MEASURE UNIT ARGUMENTS: the same arguments for both programs.
compare() {
  local what=$1 measure=$2 unit=$3
  shift 3
  local other=
  if [ -n "$kubectl" ] && ! "$kubectl" "$@" >/dev/null 2>"$work/error"; then
    echo "kubectl fails: $(head -c 200 "$work/error")" >&2
  elif [ -n "$kubectl" ]; then
    other=$("$measure" "$kubectl" "$@")
  fi
  line "$what" "$unit" "$("$measure" "$knarr" "$@")" "$other"
}

"$knarr" cluster run --port=0 --data-dir "$work/data" --kubeconfig "$KUBECONFIG" --controllers=core --nodes=0 &
server=$!
for _ in $(seq 500); do [ -e "$KUBECONFIG" ] && break; sleep 0.02; done

for i in $(seq "$objects"); do
  printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-%d\n  labels: {app: bench}\ndata:\n  key: "%d"\n' "$i" "$i"
done > "$work/objects.yaml"
for i in $(seq 20); do
  printf -- '---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: pod-%d\nspec:\n  containers:\n  - name: web\n    image: web:1\n' "$i"
done > "$work/pods.yaml"
"$knarr" apply -f "$work/objects.yaml" -f "$work/pods.yaml" > /dev/null

printf '%-44s %13s %13s   ratio\n' '' knarr "${kubectl:+kubectl}"
compare 'version --client' median_ms ms version --client
compare 'version --client, memory' peak_mb MB version --client
compare 'get pods, warm cache' median_ms ms get pods
all_runs=$runs
runs=$((runs / 5 > 0 ? runs / 5 : 1))
compare "apply of $objects unchanged objects" median_ms ms apply -f "$work/objects.yaml"
compare "the same with --validate=false" median_ms ms apply --validate=false -f "$work/objects.yaml"
runs=$all_runs
line 'embedded: get ns, existing store' ms "$(median_ms "$knarr" --embedded=bench get ns)" ''
line 'release binary' MB "$(stat -c %s "$knarr" | awk '{printf "%.1f", $1 / 1048576}')" ''
