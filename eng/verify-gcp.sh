#!/usr/bin/env bash
# Checks on a real account what the emulator cannot show: that Google takes our requests as they are, and answers as the emulator does.
# Costs a few cents, takes about ten minutes, and removes what it made, also when it fails or is interrupted.
#
#   eng/verify-gcp.sh PROJECT ZONE [--tpu v5litepod-4]
#
# Needs gcloud with a login that may make machines. Prints PASS or FAIL for each check; exits with the number of failures.
set -uo pipefail

usage() { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }

[ $# -ge 2 ] || usage
project="$1"; zone="$2"; shift 2
tpu=""
if [ "${1:-}" = --tpu ] && [ -n "${2:-}" ]; then tpu="$2"; fi

name="fluster-verify-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')"
compute="https://compute.googleapis.com/compute/v1/projects/$project/zones/$zone"
slices="https://tpu.googleapis.com/v2/projects/$project/locations/$zone"
failed=0
work="$(mktemp -d)"

token() { gcloud auth print-access-token; }

# method url [body]: the answer's body goes to $work/answer, its status is printed. The token goes in by standard input.
call() {
  local body=()
  if [ $# -ge 3 ]; then body=(-H 'Content-Type: application/json' --data "$3"); fi
  printf 'header = "Authorization: Bearer %s"\n' "$(token)" | curl --config - --silent --max-time 150 -o "$work/answer" -w '%{http_code}' -X "$1" "${body[@]}" "$2"
}

field() { python3 -c 'import json,sys; value=json.load(open(sys.argv[1]))
for part in sys.argv[2].split("."): value=(value[int(part)] if part.isdigit() else value.get(part)) if value is not None else None
print("" if value is None else value)' "$work/answer" "$1"; }

check() {
  if [ "$2" = "$3" ]; then echo "PASS  $1"; else echo "FAIL  $1: expected '$3', found '$2'"; head -c 600 "$work/answer"; echo; failed=$((failed + 1)); fi
}

# Waits for an operation of Compute Engine; prints the code of its error, if it has one.
finish() {
  local tries
  for ((tries = 0; tries < 10; tries++)); do
    call POST "$compute/operations/$1/wait" > /dev/null
    if [ "$(field status)" = DONE ]; then field error.errors.0.code; return; fi
  done
  echo "not done"
}

cleanup() {
  echo "Removing what was made"
  gcloud --project "$project" --quiet compute instances delete "$name" --zone "$zone" > /dev/null 2>&1
  if [ -n "$tpu" ]; then
    gcloud --project "$project" --quiet compute tpus queued-resources delete "$name" --zone "$zone" --force > /dev/null 2>&1
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

request="$(cat /proc/sys/kernel/random/uuid)"
body() {
  cat <<JSON
{"name": "$name", "machineType": "zones/$zone/machineTypes/e2-small", "labels": {"fluster-managed": "true", "fluster-cluster": "verify"}, "tags": {"items": ["fluster-worker"]},
 "disks": [{"boot": true, "autoDelete": true, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12", "diskSizeGb": "20", "diskType": "zones/$zone/diskTypes/pd-balanced", "labels": {"fluster-managed": "true"}}}],
 "networkInterfaces": [{"network": "global/networks/default"}],
 "scheduling": {"provisioningModel": "SPOT", "automaticRestart": false, "onHostMaintenance": "TERMINATE", "instanceTerminationAction": "DELETE"},
 "metadata": {"items": [{"key": "startup-script", "value": "#!/bin/bash\necho fluster: started > /dev/ttyS0\n"}]}}
JSON
}

echo "Compute Engine, $name in $zone"
check "a create is taken" "$(call POST "$compute/instances?requestId=$request" "$(body)")" 200
operation="$(field name)"
check "the operation tells the request id" "$(field clientOperationId)" "$request"
check "the same request id again is taken" "$(call POST "$compute/instances?requestId=$request" "$(body)")" 200
check "and begins nothing new" "$(field name)" "$operation"
check "the operation ends without an error" "$(finish "$operation")" ""
check "the machine is there" "$(call GET "$compute/instances/$name")" 200
check "and runs" "$(field status)" RUNNING
check "another create of the name is refused" "$(call POST "$compute/instances?requestId=$(cat /proc/sys/kernel/random/uuid)" "$(body)")" 409
check "as alreadyExists" "$(field error.errors.0.reason)" alreadyExists
filter="%28labels.fluster-managed%20%3D%20%22true%22%29%20AND%20%28labels.fluster-cluster%20%3D%20%22verify%22%29%20AND%20%28NOT%20labels.tpu_cores%3A%2A%29"
check "the list with the backend's filter is taken" "$(call GET "https://compute.googleapis.com/compute/v1/projects/$project/aggregated/instances?maxResults=500&returnPartialSuccess=true&filter=$filter")" 200
check "and has it" "$(grep -c "\"name\": \"$name\"" "$work/answer")" 1
check "wrong labels are refused" "$(call POST "$compute/instances/$name/setLabels" '{"labels": {"a": "b"}, "labelFingerprint": "AAAAAAAAAAA="}')" 412
check "a machine that is not there is not found" "$(call GET "$compute/instances/$name-x")" 404
for ((tries = 0; tries < 30; tries++)); do
  call GET "$compute/instances/$name/serialPort?port=1&start=0" > /dev/null
  if grep -q "fluster: started" "$work/answer"; then break; fi
  sleep 5
done
check "the start-up script has run" "$(grep -q "fluster: started" "$work/answer" && echo yes)" yes
check "a delete is taken" "$(call DELETE "$compute/instances/$name?requestId=$(cat /proc/sys/kernel/random/uuid)")" 200
check "and ends without an error" "$(finish "$(field name)")" ""
check "the machine is gone" "$(call GET "$compute/instances/$name")" 404
check "its disk, too" "$(call GET "$compute/disks/$name")" 404

if [ -n "$tpu" ]; then
  echo "Cloud TPU, $tpu"
  runtime=v2-alpha-tpuv5-lite
  case "$tpu" in v4-*) runtime=tpu-ubuntu2204-base ;; v5p-*) runtime=v2-alpha-tpuv5 ;; v6e-*) runtime=v2-alpha-tpuv6e ;; esac
  slice="{\"tpu\": {\"nodeSpec\": [{\"parent\": \"projects/$project/locations/$zone\", \"nodeId\": \"$name\", \"node\": {\"acceleratorType\": \"$tpu\", \"runtimeVersion\": \"$runtime\", \"networkConfig\": {\"network\": \"default\", \"enableExternalIps\": false}, \"labels\": {\"fluster-managed\": \"true\"}, \"metadata\": {\"startup-script\": \"#!/bin/bash\"}}}]}, \"spot\": {}, \"queueingPolicy\": {\"validUntilDuration\": \"600s\"}}"
  check "the zone has the type" "$(call GET "$slices/acceleratorTypes/$tpu")" 200
  check "a queued resource is taken" "$(call POST "$slices/queuedResources?queuedResourceId=$name&requestId=$(cat /proc/sys/kernel/random/uuid)" "$slice")" 200
  check "done is absent while it runs" "$(field done)" ""
  for ((tries = 0; tries < 60; tries++)); do
    call GET "$slices/queuedResources/$name" > /dev/null
    state="$(field state.state)"
    echo "      $state"
    case "$state" in ACTIVE | FAILED | SUSPENDED) break ;; esac
    sleep 10
  done
  check "it ends in a state that we know" "$(case "$state" in ACTIVE | FAILED | SUSPENDED | WAITING_FOR_RESOURCES | PROVISIONING | ACCEPTED) echo known ;; *) echo "$state" ;; esac)" known
  check "lists of all zones are taken" "$(call GET "https://tpu.googleapis.com/v2/projects/$project/locations/-/queuedResources?pageSize=500")" 200
  check "a delete by force is taken" "$(call DELETE "$slices/queuedResources/$name?force=true&requestId=$(cat /proc/sys/kernel/random/uuid)")" 200
  for ((tries = 0; tries < 60; tries++)); do
    if [ "$(call GET "$slices/queuedResources/$name")" = 404 ]; then break; fi
    sleep 10
  done
  check "the queued resource is gone" "$(call GET "$slices/queuedResources/$name")" 404
  check "the node, too" "$(call GET "$slices/nodes/$name")" 404
fi

echo "$failed failed"
exit "$failed"
