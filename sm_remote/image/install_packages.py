"""Runs inside an image that is being built: installs packages with uv, and sets apart what came new.

A container image keeps every file that any of its layers had, and uv is 50 MB that no job needs. So packages are
installed in a stage that is thrown away, and only the new files are copied from it into the image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig

TOOLS = os.path.dirname(os.path.abspath(__file__))
NEW = os.path.join(TOOLS, "new")
REMOVED = "/var/lib/sm_remote/removed.json"


def find_roots() -> list[str]:
    """The directories into which packages are installed, none of them below another."""
    paths = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib", "scripts", "data")}
    return sorted(path for path in paths if not any(path != other and path.startswith(other + "/") for other in paths))


def list_files(roots: list[str]) -> dict[str, tuple[int, int, int]]:
    """Each file, with what changes when it is written."""
    found = {}
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if os.path.join(folder, name) != TOOLS]
            for name in files + [name for name in names if os.path.islink(os.path.join(folder, name))]:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def install(requirements: list[str]) -> int:
    """Installs into this Python; returns uv's exit code."""
    environment = {name: value for name, value in os.environ.items() if value or not name.startswith(("UV_", "PIP_"))}
    certificates = os.path.join(TOOLS, "ca-certificates.crt")
    if os.path.exists(certificates):
        environment["SSL_CERT_FILE"] = certificates
    environment.setdefault("HOME", TOOLS)
    environment.update({"NO_COLOR": "1", "UV_NO_PROGRESS": "1"})
    command = [os.path.join(TOOLS, "uv"), "pip", "install", "--python", sys.executable, "--break-system-packages"]
    command += ["--no-cache", "--link-mode=copy", "--compile-bytecode", "--no-config", *requirements]
    return subprocess.call(command, env=environment)


def main(requirements: list[str]) -> int:
    """Installs, and copies what is new to where the next stage takes it from."""
    roots = find_roots()
    before = list_files(roots)
    code = install(requirements)
    if code:
        return code
    after = list_files(roots)
    for path, state in after.items():
        if before.get(path) != state:
            target = NEW + path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    removed = NEW + REMOVED
    os.makedirs(os.path.dirname(removed), exist_ok=True)
    with open(removed, "w") as file:
        json.dump(sorted(set(before) - set(after)), file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
