"""The local training service's state, and the variables that lead to it, as text. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import render_table
from sm_remote.home import LOCAL_REGION, Discovery, Home


def render_status(discovery: Discovery, status: Mapping[str, Any], *, home: Home) -> str:
    """What runs, where, and how busy it is."""
    rows = [
        ("version", str(status.get("Version", ""))),
        ("process", str(discovery.pid)),
        ("address", discovery.endpoint_url),
        ("S3", discovery.s3_endpoint_url or ""),
        ("engine", str(status.get("Engine", ""))),
        ("", str(status.get("EngineNote", "") or "")),
        ("jobs", f"{count_jobs(status, 'RunningJobs')} running, {count_jobs(status, 'QueuedJobs')} waiting"),
        ("credentials", _describe_credentials(status)),
        ("state", str(home.data)),
        ("log", str(home.service / "service.log")),
    ]
    shown = [(name, make_inert(value)) for name, value in rows if value]
    return "The local training service runs.\n" + render_table((), shown, indent="  ")


def _describe_credentials(status: Mapping[str, Any]) -> str:
    """What containers have of AWS; nothing to say where it is nothing."""
    kind, _, profile = str(status.get("ContainerCredentials") or "none").partition(":")
    texts = {"none": "", "s3": "containers have those of the S3 server"}
    return texts.get(kind, f"containers have those of the AWS profile {profile}")


def count_jobs(status: Mapping[str, Any], name: str) -> int:
    """A number out of the service's own status; 0 where it does not say."""
    return int(status.get(name) or 0)


def render_status_json(discovery: Discovery, status: Mapping[str, Any]) -> str:
    """The same for programs, without the keys."""
    return render_json(
        {
            "running": True,
            "version": status.get("Version"),
            "process": discovery.pid,
            "endpoint_url": discovery.endpoint_url,
            "s3_endpoint_url": discovery.s3_endpoint_url,
            "container_credentials": status.get("ContainerCredentials"),
            "engine": status.get("Engine"),
            "engine_note": status.get("EngineNote"),
            "running_jobs": count_jobs(status, "RunningJobs"),
            "queued_jobs": count_jobs(status, "QueuedJobs"),
        }
    )


def render_farewell(discovery: Discovery, status: Mapping[str, Any]) -> str:
    """What to say when the service has ended."""
    live = count_jobs(status, "RunningJobs") + count_jobs(status, "QueuedJobs")
    text = f"The local training service (process {discovery.pid}) has ended.\n"
    if live:
        jobs = "1 live job goes on" if live == 1 else f"{live} live jobs go on"
        text += f"{jobs}; the next service takes over: any command or call starts it.\n"
    return text


def build_environment(discovery: Discovery) -> dict[str, str]:
    """The variables that AWS clients read. Source: AWS SDKs Reference Guide, "Service-specific endpoints".

    The first is for all services that none of the others names, so that nothing signed with these keys goes to AWS.
    """
    services = ("SAGEMAKER", "CLOUDWATCH_LOGS", "CLOUDWATCH", "STS", "IAM")
    s3 = {"AWS_ENDPOINT_URL_S3": discovery.s3_endpoint_url} if discovery.s3_endpoint_url else {}
    return {
        "AWS_ENDPOINT_URL": discovery.endpoint_url,
        **{f"AWS_ENDPOINT_URL_{service}": discovery.endpoint_url for service in services},
        **s3,
        "AWS_ACCESS_KEY_ID": discovery.access_key,
        "AWS_SECRET_ACCESS_KEY": discovery.secret_key,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
        "AWS_REGION": LOCAL_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def render_environment(variables: Mapping[str, str]) -> str:
    """Lines for a shell's ``eval``. A session token or profile of the real AWS must not go along with these keys."""
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return exports + "unset AWS_SESSION_TOKEN AWS_PROFILE\n"
