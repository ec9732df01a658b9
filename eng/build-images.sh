#!/usr/bin/env bash
# Builds the container images of this checkout in the local Docker Engine. Does nothing, quickly, when nothing has changed.
#   eng/build-images.sh [runtime|worker|all] [--built] [--no-pull] [--from IMAGE]
# fluster/runtime:10.0   the .NET runtime: what a job's image needs to run .NET entrypoints. From a standard image where one can be pulled,
#                        else (as root, on Debian) from a debootstrap root and the .NET runtime that is installed here.
# fluster/worker:dev     that, and the worker of this checkout: a release build, or with --built the debug build that is there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin

runtime=fluster/runtime:10.0
worker=fluster/worker:dev
standard=mcr.microsoft.com/dotnet/aspnet:10.0
pull_seconds=20
what=all
pull=yes
publish=(-c Release)
while [ $# -gt 0 ]; do
  case "$1" in
    runtime | worker | all) what=$1 ;;
    --no-pull) pull=no ;;
    --built) publish=(-c Debug --no-build) ;;
    --from) standard=${2:?--from needs an image} && shift ;;
    *) echo "eng/build-images.sh: '$1' is not known" >&2 && exit 2 ;;
  esac
  shift
done

socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
case "$socket" in
  unix://*) socket=${socket#unix://} ;;
  *) echo "eng/build-images.sh: only an engine behind a unix socket can be used, not $socket" >&2 && exit 1 ;;
esac

engine() { # engine METHOD PATH [more arguments of curl]
  local method=$1 path=$2
  shift 2
  curl -sS --fail-with-body --unix-socket "$socket" -X "$method" "http://docker/$path" "$@"
}

# Prints what the engine says while it works, and fails when it says that it failed.
outcome() {
  local said
  said=$(cat)
  if grep -q '"error"' <<<"$said"; then
    grep -o '"error":"[^"]*"' <<<"$said" | head -1 >&2
    return 1
  fi
}

stamp_of() { engine GET "images/$1/json" 2>/dev/null | grep -o '"fluster.stamp":"[^"]*"' | head -1 | cut -d'"' -f4; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if ! engine GET _ping >/dev/null 2>&1; then
  echo "eng/build-images.sh: no Docker Engine answers at $socket" >&2
  exit 1
fi

# image NAME STAMP: makes it of the files in $scratch/context, which has a Dockerfile.
image() {
  tar -C "$scratch/context" -c . |
    engine POST "build?t=$(sed 's#/#%2F#g; s#:#%3A#g' <<<"$1")&rm=1&forcerm=1&labels=%7B%22fluster.stamp%22%3A%22$2%22%7D" \
      -H 'Content-Type: application/x-tar' --data-binary @- | outcome
}

import_root() {
  [ "$(id -u)" = 0 ] || { echo "no standard image can be pulled, and building one needs root" >&2 && return 1; }
  command -v debootstrap >/dev/null || { echo "no standard image can be pulled, and debootstrap is not here (eng/install-services.sh installs it)" >&2 && return 1; }
  local codename packages mirror root=$scratch/root dotnet
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  case "$codename" in
    bookworm) packages=libicu72,libssl3 ;;
    trixie) packages=libicu76,libssl3t64 ;;
    *) echo "no standard image can be pulled, and this machine is no Debian that is known here" >&2 && return 1 ;;
  esac
  mirror=$( (cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true) |
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' | grep -E '/debian/?$' | sed -n 1p)
  dotnet=$(dotnet --list-runtimes | sed -nE 's#^Microsoft\.AspNetCore\.App 10\.[^[]*\[(.*)/shared/.*\]$#\1#p' | tail -1) # what is first on PATH may be a script
  [ -x "$dotnet/dotnet" ] || { echo "no standard image can be pulled, and no installed .NET 10 runtime was found" >&2 && return 1; }
  debootstrap --variant=minbase --include="$packages,ca-certificates,zlib1g" "$codename" "$root" "${mirror:-http://deb.debian.org/debian}" >"$scratch/debootstrap.log" 2>&1 ||
    { tail -3 "$scratch/debootstrap.log" >&2 && return 1; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
  mkdir -p "$root/usr/share/dotnet"
  cp -r "$dotnet/dotnet" "$dotnet/host" "$dotnet/shared" "$root/usr/share/dotnet/"
  ln -s ../share/dotnet/dotnet "$root/usr/bin/dotnet"
  tar -C "$root" -c . |
    engine POST "images/create?fromSrc=-&repo=fluster%2Fruntime&tag=10.0&changes=LABEL%20fluster.stamp%3D$1" -H 'Content-Type: application/x-tar' --data-binary @- | outcome
}

build_runtime() {
  local stamp
  stamp=$( (cat eng/build-images.sh; dotnet --list-runtimes) | sha256sum | cut -c1-16)
  [ "$(stamp_of $runtime)" != "$stamp" ] || return 0
  echo "building $runtime"
  # Where it was pulled from is not looked up again while the image of that name is here.
  if [ $pull = yes ] && engine POST "images/create?fromImage=${standard%:*}&tag=${standard##*:}" --max-time $pull_seconds 2>/dev/null | outcome 2>/dev/null; then
    mkdir -p "$scratch/context"
    echo "FROM $standard" >"$scratch/context/Dockerfile"
    image $runtime "$stamp"
  else
    import_root "$stamp"
  fi
}

build_worker() {
  local published=Fluster.Worker/bin/published stamp
  rm -rf "$published"
  dotnet publish Fluster.Worker "${publish[@]}" -o "$published" -nologo -v quiet -p:FlusterAnalyzers=false
  stamp=$( (engine GET "images/$runtime/json" | grep -o '"Id":"[^"]*"' | head -1; cd "$published"; find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum) | sha256sum | cut -c1-16)
  [ "$(stamp_of $worker)" != "$stamp" ] || return 0
  echo "building $worker"
  rm -rf "$scratch/context"
  mkdir -p "$scratch/context"
  cp -r "$published" "$scratch/context/worker"
  printf '%s\n' "FROM $runtime" 'COPY worker /usr/lib/fluster/worker' 'ENTRYPOINT ["dotnet", "/usr/lib/fluster/worker/Fluster.Worker.dll"]' >"$scratch/context/Dockerfile"
  image $worker "$stamp"
}

build_runtime
[ $what = runtime ] || build_worker
