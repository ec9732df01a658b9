#!/usr/bin/env bash
# Prepares a project for Fluster: two service accounts with the least roles, firewall rules, and with --controller a VM for the controller.
# Run again it changes nothing that is there. Needs gcloud, and the right to grant roles in the project.
#
#   deploy/gcp/setup.sh PROJECT REGION [--network NETWORK] [--controller ZONE]
set -euo pipefail

usage() { sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }

[ $# -ge 2 ] || usage
project="$1"; region="$2"; shift 2
network=default; zone=""
while [ $# -gt 0 ]; do
  case "$1" in
    --network) network="$2"; shift 2 ;;
    --controller) zone="$2"; shift 2 ;;
    *) usage ;;
  esac
done

controller="fluster-controller@$project.iam.gserviceaccount.com"
worker="fluster-worker@$project.iam.gserviceaccount.com"
quiet() { gcloud --project "$project" --quiet "$@"; }
exists() { quiet "$@" > /dev/null 2>&1; }

echo "APIs"
quiet services enable compute.googleapis.com tpu.googleapis.com

echo "Service accounts"
exists iam service-accounts describe "$controller" || quiet iam service-accounts create fluster-controller --display-name "Fluster controller"
exists iam service-accounts describe "$worker" || quiet iam service-accounts create fluster-worker --display-name "Fluster workers"

echo "Roles"
# Makes, lists and removes machines and slices; may let them run as the workers' account, and as no other.
for role in roles/compute.instanceAdmin.v1 roles/tpu.admin; do
  quiet projects add-iam-policy-binding "$project" --member "serviceAccount:$controller" --role "$role" --condition None > /dev/null
done
quiet iam service-accounts add-iam-policy-binding "$worker" --member "serviceAccount:$controller" --role roles/iam.serviceAccountUser > /dev/null
# Workers need nothing of the project but to write their logs. What jobs need (buckets, for example) is yours to grant.
quiet projects add-iam-policy-binding "$project" --member "serviceAccount:$worker" --role roles/logging.logWriter --condition None > /dev/null

echo "Firewall"
# Workers dial the controller, and jobs call each other. Nothing is opened to the internet.
exists compute firewall-rules describe fluster-controller || quiet compute firewall-rules create fluster-controller \
  --network "$network" --direction INGRESS --allow tcp:7070-7071 --source-tags fluster-worker --target-tags fluster-controller
exists compute firewall-rules describe fluster-workers || quiet compute firewall-rules create fluster-workers \
  --network "$network" --direction INGRESS --allow tcp:8470-8490,tcp:30000-40000 --source-tags fluster-worker --target-tags fluster-worker

echo "Way out to the internet, for machines without an address of their own"
exists compute routers describe fluster --region "$region" || quiet compute routers create fluster --region "$region" --network "$network"
exists compute routers nats describe fluster --router fluster --region "$region" || quiet compute routers nats create fluster --router fluster --region "$region" \
  --auto-allocate-nat-external-ips --nat-all-subnet-ip-ranges

if [ -n "$zone" ]; then
  echo "Controller VM"
  exists compute instances describe fluster-controller --zone "$zone" || quiet compute instances create fluster-controller --zone "$zone" \
    --machine-type e2-standard-2 --network "$network" --tags fluster-controller --service-account "$controller" --scopes cloud-platform \
    --image-family debian-12 --image-project debian-cloud --boot-disk-size 50GB --boot-disk-type pd-balanced --shielded-secure-boot
  echo "Next: install the controller there (docs/guides/gce.md), with"
  quiet compute instances describe fluster-controller --zone "$zone" --format 'value(networkInterfaces[0].networkIP)' | sed 's/^/  its address for workers: /'
fi
echo "Done. In the backend's settings: \"ServiceAccount\": \"$worker\""
