"""Unpacks Debian packages for an image that has no apt: one that was made from an interpreter of this machine.

Such an image has this machine's C library and little else, so packages of this machine's own release fit it. They are
chosen and fetched by this machine's apt, into directories of our own, with what they depend on; what the image has
already counts as installed. Their maintainers' scripts are not run; of what those do, only the choice
among alternatives (BLAS libraries, editors) matters here, and is made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sm_remote.home import make_private
from sm_remote.service.engines.built_images import ImageBuildError, hide_passwords

STATUS = Path("/var/lib/dpkg/status")
_MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
_IN_THE_IMAGE = re.compile(
    r"libc6|libc-bin|gcc-\d+-base|libgcc-s1|libstdc\+\+6|debconf|cdebconf|ca-certificates|tzdata|media-types|dpkg|ucf"
    # The image's Python is another, and must stay the one that is found.
    r"|python3|python3-minimal|python3\.\d+|python3\.\d+-minimal|libpython3-stdlib|libpython3\.\d+-(?:stdlib|minimal)"
)
_one_at_a_time = threading.Lock()
_KEPT_FIELDS = ("Package", "Status", "Architecture", "Version", "Multi-Arch", "Provides", "Essential")


def unpack_packages(packages: Sequence[str], tree: Path, *, cache: Path, say: Callable[[str], None]) -> None:
    """Fetches packages with all that they need, and unpacks them into a directory.

    Args:
        packages: As `apt-get install` names them.
        tree: Made, and filled with ``usr/...``.
        cache: Where lists and packages are kept.
        say: Told what is done.

    Raises:
        ImageBuildError: They are unknown or cannot be fetched.
    """
    step = f"apt {' '.join(packages)}"
    say(f"Fetching Debian packages: {' '.join(packages)}")
    with _one_at_a_time:
        _prepare(cache)
        _run(_apt(cache, "update", "-qq"), step, say)
        archives = _fetch(packages, cache, step, say)
    tree.mkdir(parents=True)
    scripts = []
    for archive in archives:
        say(f"Unpacking {archive.name.replace('%3a', ':')}")
        _run(["dpkg-deb", "-x", str(archive), str(tree)], step, say)
        scripts.append(_read_script(archive))
    merge_usr(tree)
    for link, path in find_alternatives("\n".join(scripts)).items():
        _link_alternative(tree, link, path)


def _prepare(cache: Path) -> None:
    make_private(cache)
    for name in ("lists/partial", "archives/partial", "none/partial"):
        (cache / name).mkdir(parents=True, exist_ok=True)
    (cache / "status").write_text(select_installed(STATUS.read_text(errors="replace") if STATUS.exists() else ""))


def select_installed(status: str) -> str:
    """Of dpkg's status of this machine, what the image has too; without dependencies, of which it has not all."""
    selected = []
    for stanza in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        if fields.get("Essential") == "yes" or _IN_THE_IMAGE.fullmatch(fields.get("Package", "")):
            selected.append("\n".join(f"{name}: {fields[name]}" for name in _KEPT_FIELDS if name in fields))
    return "\n\n".join(selected) + "\n"


def _apt(cache: Path, *words: str) -> list[str]:
    options = {
        "Dir::State::lists": cache / "lists",
        "Dir::State::status": cache / "status",
        "Dir::Cache::archives": cache / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Dir::Log": cache,
    }
    return ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), *words]


def _fetch(packages: Sequence[str], cache: Path, step: str, say: Callable[[str], None]) -> list[Path]:
    wanted = ["install", "-y", "--no-install-recommends", *packages]
    # What lies in the archives already is not printed, so it is asked for as if there were none.
    no_archives = f"-oDir::Cache::archives={cache / 'none'}"
    plan = _run(_apt(cache, no_archives, "--print-uris", "-qq", *wanted), step, lambda line: None)
    names = re.findall(r"^'\S+' (\S+\.deb) \d+", plan, re.MULTILINE)
    _run(_apt(cache, "--download-only", "-q", *wanted), step, say)
    return [cache / "archives" / name for name in names]


def _run(command: list[str], step: str, say: Callable[[str], None]) -> str:
    environment = {**os.environ, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=1800)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageBuildError(f"{command[0]} does not run: {error}", step=step, fix="Install apt and dpkg.") from error
    if done.returncode:
        lines = tuple(hide_passwords(done.stdout + done.stderr).strip().splitlines()[-30:])
        raise ImageBuildError(
            f"{command[0]} ended with exit code {done.returncode}",
            step=step,
            tail=lines,
            fix=_advise("\n".join(lines)),
        )
    for line in done.stdout.splitlines():
        if line.startswith(("Get:", "Need to get")):
            say(line)
    return done.stdout


def _advise(log: str) -> str:
    if "Unable to locate package" in log or "has no installation candidate" in log:
        return "Correct the package's name: `apt-cache search` finds it, on a machine of this release."
    return "Is the archive of Debian packages reachable? `sudo apt-get update` tells."


def merge_usr(tree: Path) -> None:
    """Moves what lies in /bin, /lib and the like below /usr, where the image's links of these names lead."""
    for name in _MERGED:
        folder = tree / name
        if folder.is_dir() and not folder.is_symlink():
            shutil.copytree(folder, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(folder)


def _read_script(archive: Path) -> str:
    done = subprocess.run(["dpkg-deb", "-I", str(archive), "postinst"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def find_alternatives(scripts: str) -> dict[str, str]:
    """The links that `update-alternatives` makes: of several that are offered for one, that of the highest priority."""
    found: dict[str, tuple[int, str]] = {}
    for line in re.sub(r"\\\n", " ", scripts).splitlines():
        match = re.search(r"update-alternatives\s.*?--install\s+(\S+)\s+\S+\s+(\S+)\s+(\d+)(.*)", line)
        if match is None:
            continue
        priority = int(match[3])
        pairs = [(match[1], match[2]), *re.findall(r"--slave\s+(\S+)\s+\S+\s+(\S+)", match[4])]
        for link, path in pairs:
            if link not in found or priority > found[link][0]:
                found[link] = (priority, path)
    return {link: path for link, (_, path) in found.items() if "$" not in link + path}


def _link_alternative(tree: Path, link: str, path: str) -> None:
    made, goal = tree / link.strip("\"'").lstrip("/"), path.strip("\"'")
    if (tree / goal.lstrip("/")).exists() and not os.path.lexists(made):
        made.parent.mkdir(parents=True, exist_ok=True)
        made.symlink_to(goal)
