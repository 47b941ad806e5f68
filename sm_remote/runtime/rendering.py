"""An object as a notebook shows it: by its own ``_repr_mimebundle_`` and ``_repr_*_`` methods, and as text.

As IPython's formatters do it, without IPython, which a job's image need not have.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterable
from pprint import pformat
from typing import Any

METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_pdf_": "application/pdf",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
}
"""Source: IPython.core.formatters."""
NOT_HERE = frozenset({"application/vnd.jupyter.widget-view+json"})
"""A widget lives in a kernel; of one in a job only the text is left."""
_LINE = 79
_PLAIN_CONTAINERS = (dict, list, tuple, set, frozenset)

Rendered = tuple[dict[str, Any], dict[str, Any]]


def render_object(obj: Any, *, include: Any = None, exclude: Any = None) -> Rendered | None:
    """Renders an object as data and metadata by MIME type; None where it has displayed itself.

    A method that raises is passed over; what it raised is written to stderr, as IPython shows it.
    """
    if _displays_itself(obj):
        return None
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for content, about in _render_all(obj, include, exclude):
        data.update(content)
        metadata.update(about)
    if include is not None:
        data = {kind: value for kind, value in data.items() if kind in set(include)}
    if exclude is not None:
        data = {kind: value for kind, value in data.items() if kind not in set(exclude)}
    kept = {kind: _to_json(value) for kind, value in data.items() if kind not in NOT_HERE and value is not None}
    return kept, {kind: about for kind, about in metadata.items() if kind not in data or kind in kept}


def _displays_itself(obj: Any) -> bool:
    show = _find_method(obj, "_ipython_display_")
    if show is None:
        return False
    try:
        show()
    except NotImplementedError:
        return False
    except Exception as error:  # noqa: BLE001 - the object's own method
        _complain(obj, "_ipython_display_", error)
        return False
    return True


def _render_all(obj: Any, include: Any, exclude: Any) -> Iterable[Rendered]:
    yield {"text/plain": render_text(obj)}, {}
    if _is_figure(obj):
        yield {"image/png": render_figure(obj)}, {}
    for name, kind in METHODS.items():
        method = _find_method(obj, name)
        if method is not None:
            yield _split(_call(obj, name, method), kind)
    bundle = _find_method(obj, "_repr_mimebundle_")
    if bundle is not None:
        found = _call(obj, "_repr_mimebundle_", lambda: bundle(include=include, exclude=exclude))
        if isinstance(found, dict):
            yield found, {}
        elif isinstance(found, tuple) and len(found) == 2:
            yield dict(found[0]), dict(found[1] or {})


def _split(found: Any, kind: str) -> Rendered:
    """A method gives its data, or a pair of data and metadata."""
    if isinstance(found, tuple) and len(found) == 2:
        return {kind: found[0]}, {kind: found[1]} if found[1] else {}
    return ({} if found is None else {kind: found}), {}


def _find_method(obj: Any, name: str) -> Any:
    # Of a class its own methods are not meant, and some objects answer to every name.
    if isinstance(obj, type):
        return None
    try:
        if getattr(obj, "_ipython_canary_method_should_not_exist_", None) is not None:
            return None
        method = getattr(obj, name, None)
    except Exception:  # noqa: BLE001 - the object's own __getattr__
        return None
    return method if callable(method) else None


def _call(obj: Any, name: str, method: Any) -> Any:
    try:
        return method()
    except NotImplementedError:
        return None
    except Exception as error:  # noqa: BLE001 - the object's own method
        _complain(obj, name, error)
        return None


def _complain(obj: Any, name: str, error: Exception) -> None:
    sys.stderr.write(f"sm_remote: {type(obj).__name__}.{name}() raised {type(error).__name__}: {error}\n")


def render_text(obj: Any) -> str:
    """The plain text of an object: its ``repr``, broken into lines where it is a long list or mapping."""
    try:
        text = repr(obj)
        if isinstance(obj, _PLAIN_CONTAINERS) and len(text) > _LINE:
            return pformat(obj, width=_LINE, sort_dicts=False)
        return text
    except Exception as error:  # noqa: BLE001 - the object's own __repr__
        return f"<{type(obj).__name__}, whose repr() raised {type(error).__name__}>"


def _is_figure(obj: Any) -> bool:
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return isinstance(figure, type) and isinstance(obj, figure)


def render_figure(figure: Any) -> bytes | None:
    """A matplotlib figure as PNG; None where there is nothing in it."""
    if not figure.axes and not figure.lines and not figure.texts and not getattr(figure, "images", ()):
        return None
    file = io.BytesIO()
    figure.canvas.print_figure(
        file,
        format="png",
        dpi=figure.dpi,
        bbox_inches="tight",
        facecolor=figure.get_facecolor(),
        edgecolor=figure.get_edgecolor(),
    )
    return file.getvalue()


def _to_json(value: Any) -> Any:
    """As the notebook's format has it: bytes in base64, all else what JSON can say, or text."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, str):
        return str(value)
    try:
        return json.loads(json.dumps(value, default=str))
    except (TypeError, ValueError):
        return str(value)
