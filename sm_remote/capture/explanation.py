"""Shows what a call would send, why, and how big it is, without sending it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from sm_remote.capture.dependencies import Dependencies
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.plan import Plan, plan_call
from sm_remote.capture.sizes import render_size
from sm_remote.capture.workdir import Workdir
from sm_remote.capture.workspace import NOTHING_MORE, WorkspaceRequest, plan_workdir
from sm_remote.home import Home

_MAX_WHY_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that travels.

    Attributes:
        kind: ``function``, ``arguments``, ``buffer``, ``module``, ``package``, ``missing``, ``workdir``, ``command`` or
            ``input``.
        name: Which one.
        why: What brought it.
        size_bytes: How big it is; None where that is not known before it is installed.
    """

    kind: str
    name: str
    why: str
    size_bytes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation(Sequence[Item]):
    """What a call would send; prints as a table.

    Attributes:
        function_name: Of the function.
        items: All that travels.
    """

    function_name: str
    items: tuple[Item, ...]

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return render_table(self.function_name, self.items)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = _html_row("th", _TITLES)
        body = "".join(_html_row("td", _cells(item)) for item in self)
        caption = f"{escape(self.function_name)}() would send {escape(_sum_up(self.items))}"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p>{caption}</p>"


def explain_call(
    func: object,
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    *,
    home: Home,
    dependencies: Dependencies,
    python: TargetPython,
    workspace: WorkspaceRequest = NOTHING_MORE,
    inputs: Iterable[Item] = (),
) -> Explanation:
    """Lists what a call would send, its channels of data with it; nothing is stored.

    Raises:
        TypeError: The arguments do not fit the function.
        CaptureError: Something cannot be pickled.
        ConfigError: The job's Python is another minor version, or ``dependencies`` is wrong.
    """
    with plan_call(func, args, kwargs, home=home, dependencies=dependencies, python=python) as plan:
        items = (*list_items(plan), *list_workspace(workspace, plan_workdir(workspace, home)), *inputs)
        return Explanation(function_name=plan.target.name, items=items)


def list_items(plan: Plan) -> Iterator[Item]:
    """Lists what a plan sends."""
    yield Item(
        kind="function", name=f"{plan.target.name}()", why="it is called", size_bytes=plan.function.ref().size_bytes
    )
    labels = ", ".join(label.removeprefix("argument ").strip("'") for label, _ in plan.labels) or "none"
    yield Item(kind="arguments", name=labels, why="passed", size_bytes=plan.arguments.ref().size_bytes)
    for ref in plan.external:
        yield Item(kind="buffer", name=ref.digest[:12], why="a large array", size_bytes=ref.size_bytes)
    for name, module in plan.reach.local.items():
        if module.file is not None:
            size_bytes = module.file.stat().st_size
            yield Item(kind="module", name=name, why=plan.reach.why.get(name, ""), size_bytes=size_bytes)
    yield from _list_packages(plan)
    for name in plan.reach.missing:
        yield Item(kind="missing", name=name, why=plan.reach.why.get(name, ""), size_bytes=None)


def _list_packages(plan: Plan) -> Iterator[Item]:
    why = plan.environment.why
    for one in plan.environment.distributions:
        yield Item(kind="package", name=one.pin, why=why.get(one.key, ""), size_bytes=one.size_bytes)
    if plan.requirements is not None and not plan.environment.distributions:
        for line in plan.requirements.shown:
            yield Item(kind="package", name=line, why="asked for by dependencies=", size_bytes=None)


def list_workspace(request: WorkspaceRequest, workdir: Workdir | None) -> Iterator[Item]:
    """Lists what the job finds around its function."""
    if workdir is not None:
        name = f"{workdir.root} ({workdir.files} files)"
        yield Item(kind="workdir", name=name, why="include_local_workdir", size_bytes=workdir.size_bytes)
    for command in request.commands:
        yield Item(kind="command", name=command, why="pre_execution_commands", size_bytes=None)
    if request.script is not None:
        yield Item(kind="command", name=request.script, why="pre_execution_script", size_bytes=None)


_TITLES = ("what", "name", "why", "size")


def render_table(function_name: str, items: Sequence[Item]) -> str:
    """Renders items as an aligned table with the total at the end."""
    rows = [_TITLES, *(_cells(item) for item in items)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = [_align(row, widths) for row in rows]
    return "\n".join([f"{function_name}() would send", *lines, _sum_up(items)])


def _sum_up(items: Sequence[Item]) -> str:
    return f"{render_size(sum(item.size_bytes or 0 for item in items))} in all; what is stored already is not sent."


def _html_row(kind: str, cells: Sequence[str]) -> str:
    *texts, size = (escape(cell) for cell in cells)
    # JupyterLab aligns cells to the right, which suits numbers alone.
    row = "".join(f'<{kind} style="text-align: left">{text}</{kind}>' for text in texts)
    return f"<tr>{row}<{kind}>{size}</{kind}></tr>"


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    *texts, size = row
    cells = [text.ljust(width) for text, width in zip(texts, widths, strict=False)]
    return "  ".join([*cells, size.rjust(widths[-1])]).rstrip()


def _cells(item: Item) -> tuple[str, str, str, str]:
    why = item.why if len(item.why) <= _MAX_WHY_CHARACTERS else f"{item.why[: _MAX_WHY_CHARACTERS - 1]}…"
    return item.kind, item.name, why, "?" if item.size_bytes is None else render_size(item.size_bytes)
