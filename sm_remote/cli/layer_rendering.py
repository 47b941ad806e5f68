"""Layers of installed packages as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import render_table
from sm_remote.cli.units import render_age, render_bytes, render_moment

if TYPE_CHECKING:
    from sm_remote.jobs.environments.layers import Layer

_FEW = 3


def render_layers(layers: Sequence[Layer], *, now: datetime) -> str:
    """The list as a person reads it."""
    if not layers:
        return "There are no layers: no job has needed a package.\n"
    rows = [
        (
            layer.key[:12],
            render_bytes(layer.size_bytes),
            _render_compiled(layer),
            render_age(layer.last_used, now),
            make_inert(_summarise(layer.distributions)),
        )
        for layer in layers
    ]
    total = sum(layer.freed_bytes for layer in layers)
    return render_table(("KEY", "SIZE", "BYTECODE", "USED", "PACKAGES"), rows) + (
        f"{render_bytes(total)} are on disk for layers alone; the rest is linked to files that are elsewhere too.\n"
    )


def _render_compiled(layer: Layer) -> str:
    if layer.is_compiled or layer.compiled == layer.modules:
        return "complete"
    return f"{100 * layer.compiled // layer.modules} %"


def _summarise(distributions: Sequence[str]) -> str:
    names = [one.partition(" ")[0] for one in distributions]
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def render_layer(layer: Layer, *, now: datetime) -> str:
    """One layer with all that is in it."""
    facts = [
        ("key", layer.key),
        ("path", make_inert(str(layer.path))),
        ("size", render_bytes(layer.size_bytes)),
        ("frees", render_bytes(layer.freed_bytes)),
        ("bytecode", f"{_render_compiled(layer)}, {layer.compiled} of {layer.modules} modules"),
        ("used", render_age(layer.last_used, now)),
    ]
    packages = "".join(f"  {make_inert(one)}\n" for one in layer.distributions)
    return render_table((), facts) + f"packages ({len(layer.distributions)})\n{packages}"


def render_pruned(layers: Sequence[Layer]) -> str:
    """What was removed."""
    if not layers:
        return "Nothing to remove.\n"
    freed = render_bytes(sum(layer.freed_bytes for layer in layers))
    lines = [f"Removed {layer.key[:12]} ({make_inert(_summarise(layer.distributions))}).\n" for layer in layers]
    return "".join(lines) + f"{len(layers)} removed, {freed} freed.\n"


def render_layers_json(layers: Sequence[Layer]) -> str:
    """Layers as a JSON array."""
    return render_json(
        [
            {
                "key": layer.key,
                "path": str(layer.path),
                "size_bytes": layer.size_bytes,
                "freed_bytes": layer.freed_bytes,
                "last_used": render_moment(layer.last_used),
                "is_compiled": layer.is_compiled,
                "modules": layer.modules,
                "compiled": layer.compiled,
                "distributions": list(layer.distributions),
            }
            for layer in layers
        ]
    )
