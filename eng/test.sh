#!/usr/bin/env bash
# Installs what is missing (where it may), builds, runs every test, and ends with "N passed, N failed, N skipped".
#   --full          also the long counts; run before an issue is called done
#   anything else   goes to dotnet test, for example --filter FullyQualifiedName~Cli
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --full ]; then
  shift
  export FLUSTER_TESTS_FULL=1 # read by Fluster.Tests/Support/TestScale.cs
fi

# A compiler server makes the build several times faster. It is this run's own, and is stopped with it.
export UseSharedCompilation=true SharedCompilationId="fluster-test-$$"
stop_compiler_server() {
  local sdk
  sdk=$(dotnet --list-sdks | grep -F "$(dotnet --version) " | sed -E 's/^([^ ]+) \[(.*)\]$/\2\/\1/')
  dotnet exec "$sdk/Roslyn/bincore/VBCSCompiler.dll" "-pipename:$SharedCompilationId" -shutdown >/dev/null 2>&1
}

results=$(mktemp -d)
trap 'stop_compiler_server; stop_engine; rm -rf "$results"' EXIT
started=$SECONDS

[ ! -x eng/install-services.sh ] || eng/install-services.sh

# Tests of containers need a Docker Engine. Where none answers and one may be started, this run has its own: another socket, images kept
# in the user's cache for the next run, no bridge and no firewall rules (the tests use the machine's network). Without one they are skipped.
engine_socket=/var/run/docker.sock engine_pid=
answers() { curl -fsS --max-time 5 --unix-socket "$1" http://docker/_ping >/dev/null 2>&1; }
start_engine() {
  command -v curl >/dev/null || return 1
  ! answers "$engine_socket" || return 0
  if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null; then
    return 1
  fi
  local own=$results/engine data=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fluster/engine i
  mkdir -p "$own" "$data"
  exec 8>"$data.lock"
  flock -n 8 || data=$own/data # another run has it
  engine_socket=$own/docker.sock
  dockerd --data-root "$data" --exec-root "$own/exec" --pidfile "$own/pid" -H "unix://$engine_socket" --bridge=none --iptables=false --ip6tables=false >"$own/log" 2>&1 &
  engine_pid=$!
  exec 8>&- # the lock is the engine's now
  for i in $(seq 150); do
    ! answers "$engine_socket" || return 0
    kill -0 "$engine_pid" 2>/dev/null || break
    sleep 0.2
  done
  echo "the Docker Engine did not start: $(tail -1 "$own/log")"
  return 1
}
stop_engine() {
  [ -n "$engine_pid" ] || return 0
  kill "$engine_pid" 2>/dev/null && wait "$engine_pid" 2>/dev/null
  umount "$results"/engine/exec/netns/* 2>/dev/null # the engine leaves its network namespace mounted
  engine_pid=
}
images_pid=
if start_engine; then
  export FLUSTER_TESTS_DOCKER_SOCKET=$engine_socket # read by Fluster.Tests/Support/EngineFactAttribute.cs
  DOCKER_HOST=unix://$engine_socket eng/build-images.sh runtime & # beside the build
  images_pid=$!
fi

echo "building"
if ! dotnet build Fluster.sln -m:2 -nologo -v quiet -clp:NoSummary; then
  echo "0 passed, 0 failed, 0 skipped: the build failed"
  exit 1
fi
./fluster --version >/dev/null || exit 1
if [ -n "$images_pid" ]; then
  wait "$images_pid" && DOCKER_HOST=unix://$engine_socket eng/build-images.sh worker --built || echo "an image for the tests of containers could not be built: they are skipped"
fi
built=$SECONDS

echo "testing"
# Most programs of tests live for seconds: compiling their methods a second time, for speed, took a third of the processors' time (the number is hexadecimal).
export DOTNET_TieredPGO=0 DOTNET_TC_CallCountThreshold=3E8
# Started in the background of a script, this would hand down that Ctrl+C is ignored, and tests that interrupt processes would wait for ever.
heeding=()
! env --default-signal=INT,QUIT true 2>/dev/null || heeding=(env --default-signal=INT,QUIT)
${heeding[@]+"${heeding[@]}"} dotnet test Fluster.Tests --no-build -nologo --results-directory "$results" --logger 'trx;LogFileName=tests.trx' --logger 'console;verbosity=minimal' \
  --blame-hang --blame-hang-timeout 12m --blame-hang-dump-type none "$@"
status=$?

# Tests are in one namespace and in a folder for each area: which class is in which folder.
grep -rhoE --include='*.cs' --exclude-dir=bin --exclude-dir=obj --exclude-dir=node_modules -H '^(public|internal) .*class [A-Za-z0-9_]+' Fluster.Tests |
  sed -E 's#^Fluster\.Tests/([^:]*):.* class ([A-Za-z0-9_]+).*#\2 \1#; s# ([^ /]*)/.*# \1#' >"$results/areas"

touch "$results/tests.trx"
grep -ohE 'Figures: [^<]*' "$results/tests.trx"
awk -v status="$status" -v build="$((built - started))" -v run="$((SECONDS - built))" '
  FILENAME ~ /areas$/ { area[$1] = $2; next }
  /<UnitTestResult / {
    match($0, / testName="[^"]*"/); name = substr($0, RSTART + 11, RLENGTH - 12)
    match($0, / outcome="[^"]*"/); outcome = substr($0, RSTART + 10, RLENGTH - 11)
    seconds = 0
    if (match($0, / duration="[^"]*"/)) {
      split(substr($0, RSTART + 11, RLENGTH - 12), clock, ":")
      seconds = clock[1] * 3600 + clock[2] * 60 + clock[3]
    }
    sub(/\(.*/, "", name); split(name, part, "."); class = part[3]
    where = (class in area) ? area[class] : "other"
    tests[where]++; time[where] += seconds; class_time[class] += seconds
    if (outcome == "Passed") passed++; else if (outcome == "NotExecuted") skipped++; else failed++
  }
  END {
    printf "\n%-18s %6s %9s\n", "area", "tests", "seconds"
    for (where in tests) printf "%-18s %6d %9.1f\n", where, tests[where], time[where] | "sort"
    close("sort")
    print "\nthe classes that take longest"
    for (class in class_time) printf "%-44s %9.1f\n", class, class_time[class] | "sort -k2 -rn | head -12"
    close("sort -k2 -rn | head -12")
    printf "build %d s, tests %d s (those of different areas run side by side)\n", build, run
    if (status != 0 && failed == 0) print "the test run broke off"
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit !(status == 0 && failed == 0 && passed > 0)
  }' "$results/areas" "$results/tests.trx"
