"""CreateTrainingJob requests as calls would send them, built without AWS, a container engine or a network.

`python -m tests.offline_requests` writes the golden files of tests/vectors/requests anew: each holds the arguments of a
call and what they change in the request, as a JSON Merge Patch (RFC 7396) of `base.json`. A new setting has a file with
its arguments there, and the command fills in the rest; or it has its reason in `NOT_IN_THE_REQUEST`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sm_remote.aws.requests import build_create_training_job
from sm_remote.aws.session import Session
from sm_remote.costs import refresh
from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION, Home, find_home
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.charges import open_charges
from sm_remote.jobs.submission.preparation import prepare_function
from sm_remote.settings import ResolvedSettings, resolve_settings
from tests.fakes.memory_s3 import REGION, MemoryS3
from tests.fakes.price_list import FakePricing, build_product

VECTORS = Path(__file__).parent / "vectors" / "requests"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Training"
IMAGE = "registry.example.com/python:3"
"""In no registry that would be asked what is in it."""
BASE: Mapping[str, Any] = {"target": "sagemaker", "role": ROLE, "image_uri": IMAGE, "instance_type": "ml.m5.large"}
QUICK: Mapping[str, Any] = {"dependencies": None, "preflight": False}
"""Without what an installer and a second process would be started for."""
IN_THE_MANIFEST = "It is told to the job by the manifest, whose digest the request has."
ABOUT_THE_CLIENT = "It says what the client does."
ABOUT_THE_SERVICE = "It says how the local service works."
NOT_IN_THE_REQUEST: Mapping[str, str] = {
    **dict.fromkeys(("dependencies", "pre_execution_commands", "pre_execution_script"), IN_THE_MANIFEST),
    **dict.fromkeys(("include_local_workdir", "custom_file_filter", "local_workdir_limit_bytes"), IN_THE_MANIFEST),
    **dict.fromkeys(("preflight", "stream_logs", "cell_limit_bytes", "on_interrupt"), ABOUT_THE_CLIENT),
    **dict.fromkeys(("max_parallel_jobs", "install_limit_s", "sagemaker_session", "bucket_owner"), ABOUT_THE_CLIENT),
    **dict.fromkeys(("inputs_limit_bytes", "not_secret"), ABOUT_THE_CLIENT),
    **dict.fromkeys(("engine", "container_credentials"), ABOUT_THE_SERVICE),
    **dict.fromkeys(("service_idle_s", "service_max_parallel_jobs"), ABOUT_THE_SERVICE),
}
"""Settings that no request tells of, each with the reason."""
_OF_THE_MACHINE = ("sm_remote:user", "sm_remote:cell", "sm_remote:notebook")
_MOMENT = datetime(2026, 1, 2, 3, 4, 5)


def answer(question: str = "all") -> int:
    """What the calls of the golden files run."""
    return 42


class Unanswered:
    """A boto3 client of an API that is not to be asked anything."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{self._service}.{name} is asked")


def _refuse_to_reconnect() -> Session:
    raise AssertionError("nothing was connected")


def connect_offline(settings: ResolvedSettings, home: Home, s3: MemoryS3) -> Connection:
    """A connection that stores in memory, and that nobody answers otherwise."""
    local = settings.target == "local"
    session = Session(
        target=settings.target,
        region=LOCAL_REGION if local else settings.region or REGION,
        account=lambda: LOCAL_ACCOUNT if local else ACCOUNT,
        make_client=Unanswered,
        make_s3_client=s3.make_client,
        holds_requests=False,
        reconnect=_refuse_to_reconnect,
        advice="",
    )
    return Connection(home=home, session=session)


def build_request(
    arguments: Mapping[str, Any],
    home: Home,
    s3: MemoryS3,
    *,
    call: tuple[Callable[..., Any], tuple[Any, ...]] = (answer, ()),
) -> dict[str, Any]:
    """The request of a call with these settings and no others."""
    home.data.mkdir(parents=True, exist_ok=True)
    settings = resolve_settings(arguments, environ={"HOME": str(home.data)}, cwd=home.data, notebook={})
    connection = connect_offline(settings, home, s3)
    func, args = call
    spec, lock = prepare_function(func, args, {}, settings, connection, moment=_MOMENT, random_bits=0)
    prices = FakePricing([build_product("ml.m5.large", "0.115", region=REGION)])
    refresh(home, REGION, prices, now=datetime.now(timezone.utc))
    return dict(open_charges(settings, connection, lock, func).reserve(build_create_training_job(spec)))


def normalise(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without what differs from machine to machine: digests, this Python, and who made it where."""
    tags = [tag for tag in request["Tags"] if tag["Key"] not in _OF_THE_MACHINE]
    text = json.dumps({**request, "Tags": tags})
    text = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", text)
    text = re.sub(r"(sm-remote-local/python:)[\w.-]+", r"\1<python>", text)
    text = re.sub(r"(checkpoints/\w+/)[0-9a-f]{16}", r"\1<arguments>", text)
    normal: dict[str, Any] = json.loads(text.replace(f"({sys.version_info[0]},{sys.version_info[1]})", "<python>"))
    return normal


def diff(before: Any, after: Any) -> Any:
    """The merge patch that makes one value of another; an empty one where they are the same. Source: RFC 7396."""
    patch = {name: None for name in before if name not in after}
    for name, value in after.items():
        present = before.get(name)
        if isinstance(value, dict) and isinstance(present, dict):
            inner = diff(present, value)
            patch.update({name: inner} if inner else {})
        elif present != value or name not in before:
            patch[name] = value
    return patch


def read_golden(name: str) -> dict[str, Any]:
    """A golden file."""
    content: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def list_goldens() -> list[str]:
    """The settings that have a golden file."""
    return sorted(path.stem for path in VECTORS.glob("*.json") if path.stem != "base")


def write_goldens() -> None:
    """Writes every golden file anew, from the arguments that it holds."""
    with tempfile.TemporaryDirectory() as directory:
        home, s3 = find_home({"SM_REMOTE_HOME": directory}), MemoryS3()
        base = normalise(build_request({**BASE, **QUICK}, home, s3))
        _write("base", base)
        for name in list_goldens():
            arguments = read_golden(name)["arguments"]
            request = normalise(build_request({**BASE, **QUICK, **arguments}, home, s3))
            _write(name, {"arguments": arguments, "changes": diff(base, request)})


def _write(name: str, content: Mapping[str, Any]) -> None:
    (VECTORS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_goldens()
