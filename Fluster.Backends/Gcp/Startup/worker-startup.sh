#!/usr/bin/env bash
# Makes this machine a worker of a Fluster cluster. Runs at every boot and comes to the same end each time.
# Written for one machine: what is particular to it stands here.
#@settings@

set -u
umask 077

# FLUSTER_VM_ROOT puts everything below another directory, FLUSTER_VM_TRIES and FLUSTER_VM_PAUSE change how long the package is asked for, and
# GCE_METADATA_HOST says who answers for the machine. All of them are for machines that are not real ones.
root="${FLUSTER_VM_ROOT:-/}"
root="${root%/}"
tries="${FLUSTER_VM_TRIES:-20}"
pause="${FLUSTER_VM_PAUSE:-15}"
metadata_host="${GCE_METADATA_HOST:-$fluster_metadata_host}"
metadata="http://$metadata_host/computeMetadata/v1"
environment="$root/etc/fluster/worker.env"
launcher="$root/opt/fluster/run-worker"
console=""
if [ -z "$root" ] && [ -w /dev/ttyS0 ]; then console=/dev/ttyS0; fi

say() {
  echo "fluster: $*" >&2
  if [ -n "$console" ]; then echo "fluster: $*" > "$console" || true; fi
}

fail() {
  say "FAILED: $*"
  exit 1
}

# What the metadata server says of this machine; nothing where it has no answer.
about() {
  curl --silent --fail --max-time 10 --retry 5 --retry-delay 1 --retry-connrefused -H 'Metadata-Flavor: Google' "$metadata/$1" 2>/dev/null || true
}

# One line of the worker's environment.
put() {
  printf "export %s='%s'\n" "$1" "${2//\'/\'\\\'\'}" >> "$environment.new"
}

need_curl() {
  if command -v curl > /dev/null; then return; fi
  say "installing curl"
  apt-get update -qq && apt-get install -y -qq curl ca-certificates > /dev/null || fail "there is no curl, and it cannot be installed"
}

# The worker keeps jobs from the metadata server with it; without, it says so in its health.
need_iptables() {
  if [ -n "$root" ] || command -v iptables > /dev/null; then return; fi
  say "installing iptables"
  { apt-get update -qq && apt-get install -y -qq iptables > /dev/null; } || say "iptables cannot be installed: jobs can ask the metadata server"
}

# The hash of the key in the certificate that the controller shows, if that is the certificate that we were told of.
pin() {
  local host="${fluster_package#*://}"
  host="${host%%/*}"
  case "$host" in *:*) ;; *) host="$host:443" ;; esac
  local certificate
  certificate="$(openssl s_client -connect "$host" < /dev/null 2> /dev/null | openssl x509 2> /dev/null)" || return 1
  local hash
  hash="$(printf '%s\n' "$certificate" | openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f')"
  [ "$hash" = "$fluster_certificate" ] || { say "the controller shows a certificate that is not the one expected"; return 1; }
  printf '%s\n' "$certificate" | openssl x509 -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64 -A
}

# Fetches the worker package into a file. The token goes in by standard input: a command line can be read by everybody.
fetch() {
  local pinned=()
  if [ -n "$fluster_certificate" ]; then
    local key
    key="$(pin)" || return 1
    pinned=(--insecure --pinnedpubkey "sha256//$key") # the key is what counts, not who signed it or for which name
  fi
  printf 'header = "Authorization: Bearer %s"\n' "$fluster_token" |
    curl --config - --silent --show-error --fail --connect-timeout 10 --max-time 900 "${pinned[@]}" --output "$1" "$fluster_package"
}

install_package() {
  local directory="$root/opt/fluster/worker-$fluster_sha256"
  if [ -f "$directory/.complete" ]; then
    say "the worker is here already"
  else
    local archive="$root/opt/fluster/worker.download"
    local try
    for ((try = 1; ; try++)); do
      if fetch "$archive" && [ "$(sha256sum "$archive" | cut -d' ' -f1)" = "$fluster_sha256" ]; then break; fi
      if [ "$try" -ge "$tries" ]; then fail "the worker cannot be fetched from $fluster_package, or is not what it should be, after $try tries"; fi
      say "the worker was not fetched (try $try of $tries)"
      sleep "$pause"
    done
    rm -rf "$directory" "$directory.new"
    mkdir -p "$directory.new"
    tar -xzf "$archive" -C "$directory.new" || fail "the worker package cannot be unpacked"
    chmod -R a+rX "$directory.new" # attempts run as users of their own, with the worker's job host
    touch "$directory.new/.complete"
    mv "$directory.new" "$directory"
    rm -f "$archive"
  fi
  worker="$directory"
}

# Programs of the worker and of jobs: the ASP.NET Core runtime brings the plain one along.
install_dotnet() {
  if command -v dotnet > /dev/null; then dotnet="$(command -v dotnet)"; return; fi
  dotnet="$root/usr/share/dotnet/dotnet"
  if [ -x "$dotnet" ]; then return; fi
  say "installing .NET $fluster_dotnet_channel"
  (umask 022 && mkdir -p "$root/usr/share/dotnet")
  local script="$root/opt/fluster/dotnet-install.sh"
  local try
  for ((try = 1; ; try++)); do
    if curl --silent --show-error --fail --location --max-time 60 --output "$script" "$fluster_dotnet_install" &&
      bash "$script" --runtime aspnetcore --channel "$fluster_dotnet_channel" --install-dir "$root/usr/share/dotnet" --no-path >&2; then break; fi
    if [ "$try" -ge "$tries" ]; then fail ".NET cannot be installed from $fluster_dotnet_install after $try tries"; fi
    say ".NET was not installed (try $try of $tries)"
    sleep "$pause"
  done
  chmod -R a+rX "$root/usr/share/dotnet"
  if [ -z "$root" ]; then ln -sf "$dotnet" /usr/local/bin/dotnet; fi
}

# A machine of a TPU slice: which one it is, and what JAX wants to know.
write_tpu() {
  local index addresses bounds node count
  index="$(about instance/attributes/agent-worker-number)"
  [ -n "$index" ] || fail "this is no machine of a TPU slice: it has no agent-worker-number"
  node="$(about instance/attributes/instance-id)"
  addresses="$(about instance/attributes/worker-network-endpoints | tr ',' '\n' | tr ':' '\n' | grep -E '^[0-9]+(\.[0-9]+){3}$' | paste -sd, -)"
  [ -n "$addresses" ] || fail "the addresses of the slice's machines are not known"
  bounds="$(about instance/attributes/tpu-env | sed -n "s/^CHIPS_PER_HOST_BOUNDS: *'\(.*\)'.*/\1/p")"
  count="$(printf '%s\n' "$addresses" | tr ',' '\n' | wc -l | tr -d ' ')"
  # The controller expects a number only where there are several.
  if [ "$count" -gt 1 ]; then put Fluster__Worker__Id "$fluster_vm-$index"; else put Fluster__Worker__Id "$fluster_vm"; fi
  put TPU_NAME "${node:-$fluster_vm}"
  put TPU_WORKER_ID "$index"
  put TPU_WORKER_HOSTNAMES "$addresses"
  if [ -n "$bounds" ]; then put TPU_CHIPS_PER_HOST_BOUNDS "$bounds"; fi
  put TPU_SKIP_MDS_QUERY 1
  put JAX_PLATFORMS tpu,cpu
  put PJRT_DEVICE TPU
  put JAX_COORDINATOR_ADDRESS "${addresses%%,*}:8476"
  put JAX_NUM_PROCESSES "$count"
  put JAX_PROCESS_ID "$index"
  put MEGASCALE_SLICE_ID 0
  put MEGASCALE_NUM_SLICES 1
}

write_environment() {
  rm -f "$environment.new"
  : > "$environment.new"
  put Fluster__Worker__DataDirectory "$root/var/lib/fluster/worker"
  put Fluster__Worker__MetadataHost "$metadata_host" # where the worker hears that the machine is about to be taken away
  local address
  address="$(about instance/network-interfaces/0/ip)"
  if [ -n "$address" ]; then
    put Fluster__Worker__BindHost "$address"
    put Fluster__Worker__AdvertiseHost "$address"
  fi
  if [ -n "$fluster_tpu" ]; then write_tpu; else put Fluster__Worker__Id "$fluster_vm"; fi
  fluster_environment >> "$environment.new" # after what was found out here, and so stronger
  chmod 600 "$environment.new"
  mv -f "$environment.new" "$environment"
}

write_launcher() {
  printf '%s\n' '#!/usr/bin/env bash' 'set -u' ". '$environment'" "export DOTNET_ROOT='$(dirname "$(readlink -f "$dotnet")")'" \
    "cd '$root/var/lib/fluster'" "exec '$dotnet' '$worker/Fluster.Worker.dll' --contentRoot '$worker'" > "$launcher.new"
  chmod 700 "$launcher.new"
  mv -f "$launcher.new" "$launcher"
}

# systemd keeps the worker and all that it starts in one group, starts it again when it fails, and leaves it alone when it ends by itself. Exit code 3 is that of a
# worker whose controller did not come back: nobody may be there to remove the machine, so it goes off.
start_unit() {
  cat > /etc/systemd/system/fluster-worker.service <<UNIT
[Unit]
Description=Fluster worker $fluster_vm
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=$launcher
KillMode=control-group
TimeoutStopSec=40
Restart=on-failure
RestartSec=5
SuccessExitStatus=3
ExecStopPost=/bin/sh -c 'if [ "\$EXIT_STATUS" = 3 ]; then systemctl --no-block poweroff; fi'
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=1048576
LimitMEMLOCK=infinity

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload || fail "systemd does not take the unit"
  systemctl restart fluster-worker.service || fail "the worker's unit does not start"
  # A worker that cannot start says why in its journal: let whoever reads the console see it, too.
  sleep 5
  if ! systemctl is-active --quiet fluster-worker.service; then
    say "the worker does not run:"
    journalctl -u fluster-worker.service -n 30 --no-pager | while IFS= read -r line; do say "$line"; done
    exit 1
  fi
  say "the worker runs"
}

# Attempts run as users of their own: they pass through these directories, and read nothing in them but what is theirs to read.
(umask 022 && mkdir -p "$root/etc/fluster" "$root/opt/fluster" "$root/var/lib/fluster") || fail "the directories cannot be made"
say "starting worker $fluster_vm"
need_curl
need_iptables
write_environment
if [ -n "$fluster_package" ]; then install_package; else worker="$root/opt/fluster/worker"; fi
[ -f "$worker/Fluster.Worker.dll" ] || fail "there is no worker in $worker"
install_dotnet
write_launcher
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  start_unit
else
  # No systemd (a container, the emulator): this process becomes the worker.
  exec "$launcher"
fi
