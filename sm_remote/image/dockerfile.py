"""An image as the text of a Dockerfile, equal for equal images. Pure.

The classic builder of the Docker API is enough for it (no BuildKit): a stage that needs tools which must not stay in
the image is a stage of its own, and what it made is copied out of it.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from sm_remote.image.definition import Apt, Copy, Env, Image, Pip, Run, Step

OWN = ".sm_remote"
"""The folder of the build context that holds our files; everything beside it is the user's."""
INSTALLER = f"{OWN}/install_packages.py"
TOOLS = f"{OWN}/tools"
"""Filled by who builds: uv, the certificates of this machine, and what is unpacked for `Apt` steps."""
BUILD_ARGUMENTS = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_TORCH_BACKEND"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"),
)
"""Variables of this machine that say where packages come from. In the stage that installs alone: their values, which
may hold passwords, are in no layer of the image that it makes."""

_WORK = "/tmp/.sm_remote"  # noqa: S108 - of the image, not of this machine
_FORGET = (
    "import json,os\n"
    "path='/var/lib/sm_remote/removed.json'\n"
    "for name in json.load(open(path)):\n"
    "    os.path.lexists(name) and os.remove(name)\n"
    "os.remove(path)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BasePlan:
    """What an image starts from, once this machine is known.

    Attributes:
        images: The images that it needs, which are there or to be had before the build begins.
        opening: The lines before the first step: a FROM line, or a whole Dockerfile.
        has_stages: Whether further stages can be built on it: not on a Dockerfile of which only the last is known.
        uses_uv: Whether packages are installed by this machine's uv; otherwise by the image's own pip.
        unpacks_apt: Whether Debian packages are unpacked by this machine, since the base has no apt.
    """

    images: tuple[str, ...]
    opening: str
    has_stages: bool
    uses_uv: bool
    unpacks_apt: bool


def render_dockerfile(image: Image, base: BasePlan) -> str:
    """The Dockerfile of an image."""
    blocks = [base.opening.rstrip("\n") + (" AS sm_remote_0" if base.has_stages else "")]
    stage = 0
    for number, step in enumerate(image.steps):
        if isinstance(step, Pip) and base.uses_uv and base.has_stages:
            blocks.append(_render_pip_stages(step, stage))
            stage += 1
        else:
            blocks.append(_render_step(step, number, base))
    return "\n".join(blocks) + "\n"


def _render_step(step: Step, number: int, base: BasePlan) -> str:
    if isinstance(step, Apt):
        return _render_apt(step, number, base)
    if isinstance(step, Pip):
        return _render_own_pip(step)
    if isinstance(step, Run):
        return f"RUN {json.dumps(['/bin/sh', '-c', step.command])}"
    if isinstance(step, Env):
        return "\n".join(f"ENV {name}={_quote(value)}" for name, value in step.variables)
    return _render_copy(step, number)


def apt_folder(number: int) -> str:
    """Where the unpacked packages of an `Apt` step lie in the build context."""
    return f"{TOOLS}/apt-{number}"


def _render_apt(step: Apt, number: int, base: BasePlan) -> str:
    if base.unpacks_apt:
        # The names are a part of the text, and so of the key.
        return f"# {' '.join(step.packages)}, unpacked\nCOPY {apt_folder(number)}/ /"
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
    packages = " ".join(map(shlex.quote, step.packages))
    return f"RUN apt-get update && {install} {packages} && rm -rf /var/lib/apt/lists/*"


def _render_own_pip(step: Pip) -> str:
    return f"RUN {json.dumps(['python3', '-m', 'pip', 'install', '--no-cache-dir', *step.requirements])}"


def _render_pip_stages(step: Pip, stage: int) -> str:
    packed = f"sm_remote_{stage}_packages"
    return "\n".join(
        (
            f"FROM sm_remote_{stage} AS {packed}",
            f"COPY {INSTALLER} {TOOLS}/bin/ {_WORK}/",
            f"ARG {' '.join(BUILD_ARGUMENTS)}",
            f"RUN {json.dumps(['python3', f'{_WORK}/install_packages.py', *step.requirements])}",
            f"FROM sm_remote_{stage} AS sm_remote_{stage + 1}",
            f"COPY --from={packed} {_WORK}/new/ /",
            f"RUN {json.dumps(['python3', '-c', _FORGET])}",
        )
    )


def copy_folder(number: int) -> str:
    """Where the files of a `Copy` step lie in the build context."""
    return f"{OWN}/copy-{number}"


def _render_copy(step: Copy, number: int) -> str:
    return f"COPY {json.dumps([f'{copy_folder(number)}/', step.folder.rstrip('/') + '/'])}"


def _quote(value: str) -> str:
    # In double quotes a Dockerfile still replaces $NAME, and knows no escape for a line's end.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
