"""Packs a Python interpreter of this machine into a container image: no registry, no network, about two seconds.

In the image: the interpreter and its standard library (compiled, which saves 150 ms at each start) at the paths that
they have here, the shared libraries that they need, ``/bin/sh`` and a few small programs, certificates and time zones.
Never in it: ``site-packages`` of any environment. What a function needs comes as a layer, by its own channel.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sm_remote.service.engines.docker.rootfs import Rootfs
from sm_remote.service.engines.interpreter import Interpreter, InterpreterFacts, ask_interpreter, find_libraries

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

PACKING = "2"
"""Counts the ways in which images were packed; one that was packed in another way is made anew."""
PACKING_LABEL = "sm_remote.packing"

IMAGE_CHANGES = (
    "ENV PATH=/usr/local/bin:/usr/bin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV SSL_CERT_FILE={CERTIFICATES}",
    f"LABEL {PACKING_LABEL}={PACKING}",
    "WORKDIR /tmp",  # whoever the job runs as may write there
    'CMD ["python3"]',
)
"""What the import of the archive adds to the image, as lines of a Dockerfile."""

_PROGRAMS = (
    *("sh", "bash", "basename", "cat", "chmod", "cp", "cut", "date", "df", "dirname", "du", "echo", "env", "false"),
    *("find", "free", "grep", "gzip", "head", "hostname", "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "nice"),
    *("nproc", "ps", "pwd", "readlink", "rm", "rmdir", "sed", "sleep", "sort", "stat", "tail", "tar", "tee", "test"),
    *("touch", "tr", "true", "uname", "uniq", "wc", "which", "whoami", "xargs"),
)
_LIBRARIES_OF_WHEELS = (
    # manylinux wheels may count on these being there (PEP 599/600), and the first two are needed by most.
    *("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libresolv.so.2", "librt.so.1", "libdl.so.2", "libpthread.so.0"),
    *("libutil.so.1", "libatomic.so.1", "libexpat.so.1", "libnss_files.so.2", "libnss_dns.so.2"),
)
_DATA = ("/etc/ld.so.cache", "/etc/services", "/etc/protocols", "/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8")
_NOT_FOR_JOBS = frozenset(
    ("__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests", "tkinter", "turtledemo", "turtle.py")
)
_FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_FOR_ALL = 0o1777
_DIRECTORIES = {
    "/home": 0o755,
    "/root": 0o755,
    "/run": 0o755,
    "/opt/ml": _FOR_ALL,
    "/tmp": _FOR_ALL,  # noqa: S108 - of the image, not of this machine
    "/var/tmp": _FOR_ALL,  # noqa: S108
}

_COMPILE = """
import json, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
for source, target in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, dfile=source, doraise=True, invalidation_mode=unchecked)
    except (py_compile.PyCompileError, OSError, ValueError):
        pass
"""


@contextlib.contextmanager
def pack_interpreter(interpreter: Interpreter) -> Iterator[Iterator[bytes]]:
    """Gives the archive of an image with this interpreter, while the context lasts.

    Raises:
        ImageMissing: The interpreter does not run.
    """
    facts = ask_interpreter(interpreter)
    rootfs = Rootfs()
    _add_interpreter(rootfs, interpreter, facts)
    _add_system(rootfs)
    with tempfile.TemporaryDirectory(prefix="sm-remote-image-") as scratch:
        add_bytecode(rootfs, interpreter, facts, Path(scratch))
        yield rootfs.write_tar()


def _add_interpreter(rootfs: Rootfs, interpreter: Interpreter, facts: InterpreterFacts) -> None:
    rootfs.add_path(str(interpreter.executable))
    for directory in facts.standard_library:
        config = frozenset(entry.name for entry in directory.glob("config-*"))
        rootfs.add_tree(str(directory), _NOT_FOR_JOBS | config)
        rootfs.add_directory(os.path.join(os.path.realpath(directory), "site-packages"))
    for name in ("python3", "python"):
        rootfs.add_link(f"/usr/bin/{name}", str(interpreter.executable))


def _add_system(rootfs: Rootfs) -> None:
    for found in filter(None, map(shutil.which, _PROGRAMS)):
        rootfs.add_path(found)
    rootfs.add_path("/bin/sh")
    modules = [
        path
        for path, source in rootfs.list_files()
        if (os.access(source, os.X_OK) or ".so" in path.name) and not path.name.startswith("_tkinter.")
    ]
    libraries = find_libraries(modules)
    extra = _find_beside_libc(libraries)
    for library in libraries | extra | find_libraries(extra):
        rootfs.add_path(str(library))
    for path in filter(os.path.exists, _DATA):
        rootfs.add_tree(path)
    rootfs.add_tree("/usr/share/zoneinfo", frozenset(("posix", "right", "localtime", "posixrules")))
    for path, mode in _DIRECTORIES.items():
        rootfs.add_directory(path, mode)
    for path, text in _FILES.items():
        rootfs.add_text(path, text.encode())
    if (certificates := _find_certificates()) is not None:
        rootfs.add_text(CERTIFICATES, certificates.read_bytes())


def _find_beside_libc(libraries: Iterable[Path]) -> frozenset[Path]:
    homes = {path.parent for path in libraries if path.name.startswith("libc.so")}
    homes |= {Path("/usr", *home.parts[1:]) for home in homes}
    found = {name: home / name for home in homes for name in _LIBRARIES_OF_WHEELS if (home / name).exists()}
    return frozenset(found.values())


def _find_certificates() -> Path | None:
    paths = ssl.get_default_verify_paths()
    names = (paths.cafile, CERTIFICATES, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
    return next((Path(name) for name in names if name and os.path.isfile(name)), None)


def add_bytecode(rootfs: Rootfs, interpreter: Interpreter, facts: InterpreterFacts, scratch: Path) -> None:
    """Adds a .pyc for each module: the one that lies there if it is valid, or else one compiled now."""
    missing: dict[str, str] = {}
    for path, _ in rootfs.list_files():
        if path.suffix != ".py":
            continue
        compiled = str(path.parent / "__pycache__" / f"{path.stem}.{facts.cache_tag}.pyc")
        if _is_valid(compiled, str(path), facts.magic):
            rootfs.add_file(compiled, compiled)
        else:
            missing[compiled] = str(path)
    targets = {compiled: scratch / f"{number}.pyc" for number, compiled in enumerate(missing)}
    _compile(interpreter, [(missing[compiled], str(target)) for compiled, target in targets.items()])
    for compiled, target in targets.items():
        if target.exists():
            rootfs.add_file(compiled, str(target))


def _is_valid(compiled: str, source: str, magic: bytes) -> bool:
    """Whether Python would load a .pyc without compiling its source again (PEP 552)."""
    try:
        with open(compiled, "rb") as file:
            head = file.read(16)
        status = os.stat(source)
    except OSError:
        return False
    if len(head) < 16 or head[:4] != magic:
        return False
    if int.from_bytes(head[4:8], "little") == 0b01:
        return True
    stamp = b"".join((int(value) & 0xFFFFFFFF).to_bytes(4, "little") for value in (status.st_mtime, status.st_size))
    return head[4:] == bytes(4) + stamp


def _compile(interpreter: Interpreter, work: list[tuple[str, str]]) -> None:
    """Compiles with the interpreter itself, on all cores: bytecode is valid for one minor version only."""
    count = min(os.cpu_count() or 1, 1 + len(work) // 50) if work else 0
    running = []
    for number in range(count):
        command = [str(interpreter.executable), "-I", "-S", "-c", _COMPILE]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append((process, json.dumps(work[number::count]).encode()))
    for process, share in running:
        assert process.stdin is not None  # noqa: S101 - it was asked for above
        process.stdin.write(share)
        process.stdin.close()
    for process, _ in running:
        process.wait()
