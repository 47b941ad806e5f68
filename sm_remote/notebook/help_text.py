"""What `%%remote?` and `%remote?` show. Pure."""

from __future__ import annotations

import textwrap

from sm_remote.notebook.flags import OWN, SHORT, list_flags
from sm_remote.settings import describe_settings

_CELL = """\
%%remote [flags]

Runs the cell as a SageMaker training job: in a container on this machine, or on Amazon SageMaker.

Names that the cell reads and that the notebook has are sent. Names that it assigns, and sent values that it changes in
place, come back. What it prints streams; the value of its last expression, what it displays and its figures are shown
as if it had run here. What it raises is raised here, with its own lines.

    %%remote --instance-type ml.m5.xlarge --out model
    model = fit(frame)
"""
_LINE = """\
%remote                          the settings of this session, and where each comes from
%remote --instance-type NAME     sets a setting for this session: all flags of %%remote that are settings
%remote reset [NAME ...]         takes settings of this session back
%remote jobs                     the newest training jobs
%remote attach NAME              shows a job's output, waits for its end, and assigns its names
%remote stop NAME                stops a job
"""


def describe_cell_magic() -> str:
    """The help of `%%remote`."""
    return f"{_CELL}\nFlags\n{_list(OWN)}\nSettings (`%remote` shows their values)\n{_list(_settings())}"


def describe_line_magic() -> str:
    """The help of `%remote`."""
    return f"{_LINE}\nSettings\n{_list(_settings())}"


def _settings() -> dict[str, str]:
    choices = {one.name.replace("_", "-"): one.choices for one in describe_settings()}
    short = {setting.replace("_", "-"): flag for flag, setting in SHORT.items()}
    found = {}
    for flag, help_text in list_flags().items():
        if flag in OWN or flag in SHORT:
            continue
        words = f" ({', '.join(choices[flag])})" if choices.get(flag) else ""
        found[f"{flag}, --{short[flag]}" if flag in short else flag] = help_text + words
    return found


def _list(flags: dict[str, str] | object) -> str:
    assert isinstance(flags, dict)  # noqa: S101 - both callers pass one
    lines = []
    for flag, help_text in flags.items():
        lines.append(f"  --{flag}")
        lines.append(textwrap.fill(help_text, 100, initial_indent="      ", subsequent_indent="      "))
    return "\n".join(lines) + "\n"
