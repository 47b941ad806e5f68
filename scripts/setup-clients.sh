#!/usr/bin/env bash
# Makes .clients: AWS's own clients as they are, each in an environment of its own, since they cannot share one.
# Does nothing where that is done already. The tests in tests/clients run it; the versions are in their requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
# Set, it would have every import compile again.
unset PYTHONDONTWRITEBYTECODE

python=.venv/bin/python
requirements=tests/clients/requirements
stamp=.make/clients
key="$("$python" -c 'import platform; print(platform.python_version())') $(cat "$requirements"/*.txt "$0" | cksum)"
if [ -d .clients ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then exit 0; fi

# As pip does, trust what the machine trusts: a company's proxy has a certificate that uv does not bring along.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS-true}; fi
for name in cli sdk2 sdk3; do
  echo "Installing AWS's client $name into .clients/$name"
  "$python" -m uv venv --quiet --clear --python "$python" ".clients/$name"
  "$python" -m uv pip sync --quiet --compile-bytecode --python ".clients/$name/bin/python" "$requirements/$name.txt"
done

# The training toolkit has no wheel, and a part of it is in C.
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
if ! command -v cc >/dev/null || [ ! -e "$headers" ]; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
    echo "Install a C compiler and the headers of Python first: sudo apt-get install gcc libc6-dev python3-dev" >&2
    exit 1
  }
  packages=(gcc libc6-dev)
  [ -e "$headers" ] || packages+=(python3-dev)
  echo "Installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; }
fi
# The SDK v2 is there too: it has a job's container install it again, which then gets the version that runs outside.
echo "Making wheels of the training toolkit into .clients/wheels"
rm -rf .clients/wheels
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .clients/wheels \
  $(grep -hE '^(sagemaker|sagemaker-training|inotify-simple)==' "$requirements/sdk2.txt" "$requirements/toolkit.txt")
mkdir -p "$(dirname "$stamp")"
echo "$key" >"$stamp"
echo ".clients is ready"
