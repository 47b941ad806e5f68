"""The throw-away interpreter of a preflight: it loads a function as its job would, and says what is missing.

Run as a script by the job's own Python with nothing on its path but the standard library; not imported by anything.
Arguments: the files of the request and of the answer, both JSON.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import os
import sys
import types
from typing import Any

_MOST_ERRORS = 20


def main(request_path: str, answer_path: str) -> None:
    """Answers a request; whatever the function's modules print goes to where this process's output goes."""
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    sys.path.insert(0, request["runtime"])
    _extend_path(request)
    _keep_bytecode(request["layer"])
    os.chdir(request["directory"])
    path = list(sys.path)
    answer: dict[str, Any] = {"errors": _load_repeatedly(request)}
    answer["absent"] = [name for name in request["modules"] if not is_there(name)]
    answer["extends_path"] = sys.path != path
    answer["versions"] = _read_versions(request["distributions"])
    with open(f"{answer_path}.part", "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(f"{answer_path}.part", answer_path)
    os._exit(0)  # exit handlers of modules that it has imported are of no interest


def _extend_path(request: dict[str, Any]) -> None:
    from sm_remote.runtime.load import add_packages

    if request["layer"] is not None:
        add_packages(request["layer"])
    sys.path[1:1] = request["sources"]


def _keep_bytecode(layer: str | None) -> None:
    """Keeps what is compiled here of a new layer's modules: its job imports the same ones in a moment.

    Python itself would make folders that are gone, and so a part of a layer that is removed meanwhile, and would write
    beside the function's own modules too.
    """

    def set_data(_: Any, path: str, data: bytes, **_ignored: Any) -> None:
        if layer is None or not path.startswith(layer + os.sep):
            return
        part = f"{path}.{os.getpid()}"
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.dirname(path))
            with open(part, "xb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(data)
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)

    importlib.machinery.SourceFileLoader.set_data = set_data  # type: ignore[assignment,method-assign]


def _load_repeatedly(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Loads the function. An absent module is replaced by an empty one, to see what else is absent."""
    errors: list[dict[str, Any]] = []
    while len(errors) < _MOST_ERRORS:
        error = _load(request)
        if error is None or (errors and not error["is_absent"]):
            break  # after a replacement, anything may fail because of it
        errors.append(error)
        if not error["is_absent"]:
            break
        sys.modules[error["name"]] = types.ModuleType(error["name"])
    for error in errors:
        sys.modules.pop(error["name"] or "", None)
    return errors


def _load(request: dict[str, Any]) -> dict[str, Any] | None:
    """Unpickles the function. Gives what was raised, or None."""
    from sm_remote.wire.payload import load_value

    try:
        load_value(request["function"], find_buffer=request["buffers"].__getitem__)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything while it is imported
        name = error.name if isinstance(error, ImportError) else None
        return {
            "type": type(error).__name__,
            "text": str(error)[:2000],
            "name": name,
            "is_absent": isinstance(error, ModuleNotFoundError) and bool(name) and not is_there(name or ""),
            "importer": _find_importer(error),
        }
    return None


def _find_importer(error: BaseException) -> str:
    """The module whose code was running, or an empty text."""
    found, traceback = "", error.__traceback__
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if not name.startswith(("_frozen_importlib", "importlib.", "sm_remote.", "cloudpickle", "__main__", "pickle")):
            found = name
        traceback = traceback.tb_next
    return found


def is_there(name: str) -> bool:
    """Whether a module would be found; of a package's parts only those that lie in files can be told."""
    path = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        each = ".".join(parts[:count])
        if each in sys.modules:
            path = getattr(sys.modules[each], "__path__", None)
            continue
        if count > 1 and path is None:
            return True  # what a module that is no package makes of itself (six.moves)
        spec = _find(each, path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return True


def _find(name: str, path: Any) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path, None)
        except Exception:  # noqa: BLE001, S112 - a finder of some library
            continue
        if spec is not None:
            return spec
    return None


def _read_versions(names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    from importlib import metadata

    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except Exception:  # noqa: BLE001, S112 - absent, or damaged
            continue
    return versions


if __name__ == "__main__":
    main(*sys.argv[1:])
