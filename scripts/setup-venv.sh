#!/usr/bin/env bash
# Makes .venv with this project and all that its tests and checks need; does nothing where that is done already.
# Usage: scripts/setup-venv.sh [PYTHON], such as python3.12; another version than the present one makes .venv anew.
set -euo pipefail
cd "$(dirname "$0")/.."
# Set, it would have every import compile again.
unset PYTHONDONTWRITEBYTECODE

venv=.venv
stamp=.make/venv
python=${1:-}
if [ -z "$python" ]; then
  python=python3
  if [ -x "$venv/bin/python" ]; then python=$venv/bin/python; fi
fi
version=$("$python" -c 'import platform; print(platform.python_version())') || {
  echo "$python does not run; say which Python to use: make setup PYTHON=/path/to/python3" >&2
  exit 1
}
key="$version $(cat pyproject.toml "$0" | cksum)"
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then exit 0; fi

"$python" - <<'EOF'
import sys
if sys.version_info < (3, 10):
    sys.exit("sm_remote needs Python 3.10 or newer; say which: make setup PYTHON=python3.12")
EOF
if [ ! -x "$venv/bin/python" ] || [ "$("$venv/bin/python" -c 'import platform; print(platform.python_version())')" != "$version" ]; then
  echo "Making $venv with Python $version"
  "$python" -m venv --clear "$venv" || {
    echo "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  }
fi
echo "Installing sm_remote and what its tests and notebooks need into $venv"
if ! "$venv/bin/python" -c 'import uv' 2>/dev/null; then
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
fi
# As pip does, trust what the machine trusts: a company's proxy has a certificate that uv does not bring along.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS-true}; fi
"$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" \
  --editable '.[lab]' --group test --group check --group demo --group panel
mkdir -p "$(dirname "$stamp")"
echo "$key" >"$stamp"
echo "$venv is ready (Python $version)"
