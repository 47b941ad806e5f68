#!/usr/bin/env bash
# Has a Docker daemon answer, bubblewrap for the case without one, and FUSE; does nothing where all are there.
# As root it installs what is missing (Debian, Ubuntu) and starts the daemon. As another user it only says what to do.
# Exits 0 without a daemon too, since jobs can run as processes; with SM_REMOTE_REQUIRE_ENGINE=1 it exits 1 then.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
[ -x "$python" ] || python=python3
log=/var/log/sm-remote-dockerd.log
address=${DOCKER_HOST:-unix:///var/run/docker.sock}

answers() {
  "$python" - "$address" <<'EOF' 2>/dev/null
import socket, sys
kind, _, place = sys.argv[1].partition("://")
if kind == "unix":
    connection = socket.socket(socket.AF_UNIX)
    place = place or "/var/run/docker.sock"
elif kind == "tcp":
    connection = socket.socket()
    host, _, port = place.rpartition(":")
    place = (host, int(port))
else:
    sys.exit(1)
connection.settimeout(2)
connection.connect(place)
connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
sys.exit(b" 200 " not in connection.recv(64))
EOF
}

without_engine() {
  echo "No Docker: $1." >&2
  if [ "${SM_REMOTE_REQUIRE_ENGINE:-}" = 1 ]; then exit 1; fi
  echo "Jobs will run as processes of this machine (engine=process)." >&2
  exit 0
}

install_missing() {
  local packages=()
  if [ -z "${DOCKER_HOST:-}" ] && ! answers && ! command -v dockerd >/dev/null; then packages+=(docker.io iptables); fi
  command -v bwrap >/dev/null || packages+=(bubblewrap)
  # For FastFile views of S3.
  if [ -e /dev/fuse ] && ! command -v fusermount3 >/dev/null; then packages+=(fuse3); fi
  if [ ${#packages[@]} = 0 ]; then return; fi
  if ! command -v apt-get >/dev/null; then
    echo "Install these with this system's package manager: ${packages[*]}" >&2
    return
  fi
  echo "Installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be there; reading them anew takes longer than all the rest.
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; } ||
    echo "apt-get could not install ${packages[*]}" >&2
}

# start_daemon OPTION...: succeeds once the daemon answers, fails as soon as it has died.
start_daemon() {
  : >"$log"
  # Never the init script: it raises limits that a container's root may not raise. A session of its own outlives us.
  setsid dockerd "$@" >>"$log" 2>&1 </dev/null &
  local pid=$! _
  for _ in $(seq 300); do
    if answers; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then return 1; fi
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
  return 1
}

if [ "$(id -u)" != 0 ]; then
  if answers; then exit 0; fi
  socket=${address#unix://}
  if [ -S "$socket" ] && [ ! -w "$socket" ]; then
    without_engine "$socket is there, but you may not use it. Run: sudo usermod -aG docker $(id -un), and log in again"
  fi
  without_engine "to have one, run: sudo scripts/setup-engine.sh && sudo usermod -aG docker $(id -un), and log in again"
fi

install_missing
if answers; then exit 0; fi
if [ -n "${DOCKER_HOST:-}" ]; then without_engine "nothing answers at DOCKER_HOST=$DOCKER_HOST"; fi
command -v dockerd >/dev/null || without_engine "dockerd could not be installed"
if [ -d /run/systemd/system ] && systemctl start docker 2>/dev/null && answers; then exit 0; fi

echo "Starting dockerd (log: $log)"
if command -v iptables >/dev/null && start_daemon; then exit 0; fi
echo "It did not start; trying without a bridge network" >&2
if start_daemon --iptables=false --bridge=none; then exit 0; fi
tail -n 5 "$log" >&2
without_engine "dockerd did not start, see $log"
