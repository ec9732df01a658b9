#!/usr/bin/env bash
# Installs what the full test run uses besides the .NET SDK: Debian packages where apt may be used (as root), npm packages
# where there is npm. Quiet and quick when everything is there; what cannot be had is named, and its tests are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

# package:what it brings (a program on PATH, or a check after '!')
packages=(
  redis-server:redis-server
  docker.io:dockerd
  debootstrap:debootstrap
  chromium:chromium
  curl:curl
  nodejs:node
  npm:npm
  iptables:iptables
  iproute2:ip
  'python3-grpcio:!/usr/bin/python3 -c "import grpc"'
  'python3-protobuf:!/usr/bin/python3 -c "import google.protobuf"'
)

present() {
  case "$1" in
    !*) bash -c "${1#!}" >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=()
for entry in "${packages[@]}"; do
  present "${entry#*:}" || missing+=("${entry%%:*}")
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # Services that packages bring must not start: the tests start their own. A policy that is there already stays.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq >/dev/null
    # One by one: a package that cannot be had must not keep the others away.
    for package in "${missing[@]}"; do
      apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || echo "could not install: $package"
    done
  else
    echo "not installed (needs apt as root): ${missing[*]}"
  fi
fi

# npm ci leaves a stamp of the lock file that it followed.
node=Fluster.Tests/Interop/node
stamp=$node/node_modules/.installed
if command -v npm >/dev/null; then
  if ! cmp -s "$node/package-lock.json" "$stamp"; then
    echo "npm ci in $node"
    if (cd "$node" && npm ci --ignore-scripts --silent); then
      cp "$node/package-lock.json" "$stamp"
    else
      echo "could not install the npm packages of $node"
    fi
  fi
else
  echo "npm is not there: the npm packages of $node are left out"
fi
