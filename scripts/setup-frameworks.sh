#!/usr/bin/env bash
# Makes .frameworks: PyTorch, Keras, Lightning, Hugging Face's Trainer and pyarrow, for tests/frameworks. They take
# more than a gigabyte, so they are not in .venv. Does nothing where that is done already; tests/frameworks runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

python=.venv/bin/python
requirements=tests/frameworks/requirements.txt
stamp=.make/frameworks
key="$("$python" -c 'import platform; print(platform.python_version())') $(cat "$requirements" "$0" | cksum)"
if [ -d .frameworks ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then exit 0; fi

echo "Installing frameworks into .frameworks"
# By pip: where the plain index offers a build for the processor alone, pip finds it and uv does not.
"$python" -m venv --clear .frameworks
.frameworks/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
mkdir -p .make
echo "$key" > "$stamp"
