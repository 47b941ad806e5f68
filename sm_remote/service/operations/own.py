"""Operations that AWS does not have (``SmRemote.*``)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.service.api.errors import invalid, not_found
from sm_remote.service.api.replies import Reply
from sm_remote.service.engines.engine import EngineError
from sm_remote.service.hosts.secrets import check_values
from sm_remote.service.jobs.scheduler import Scheduler
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.store import NoSuchJobError

_CONDA_ENV = re.compile(r"[a-zA-Z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnOperations:
    """What is asked about the service itself.

    Attributes:
        workshop: With the engine.
        scheduler: Counts jobs.
        version: Of sm_remote.
        instance: Of this process.
        max_parallel_jobs: As configured.
        container_credentials: As configured.
        s3_endpoint_url: Of the S3 server beside the service, where there is one.
        shut_down: Ends the service, after the answer has gone out.
    """

    workshop: Workshop
    scheduler: Scheduler
    version: str
    instance: str
    max_parallel_jobs: int | None
    container_credentials: str
    s3_endpoint_url: str | None
    shut_down: Callable[[], None]

    def status(self, _: Mapping[str, Any]) -> Reply:
        """SmRemote.Status: what runs here, and how much of it."""
        running, queued = self.scheduler.count_jobs()
        host = self.workshop.host
        return Reply(
            body={
                "Version": self.version,
                "Instance": self.instance,
                "ProcessId": os.getpid(),
                "Engine": self.workshop.engine.name,
                "EngineNote": self.workshop.engine.describe(),
                "RunningJobs": running,
                "QueuedJobs": queued,
                "MaxParallelJobs": self.max_parallel_jobs,
                "ContainerCredentials": self.container_credentials,
                "S3EndpointUrl": self.s3_endpoint_url,
                "HostCpus": host.cpus,
                "HostMemoryBytes": host.memory_bytes,
                "HostGpus": host.gpus,
            }
        )

    def stop_service(self, _: Mapping[str, Any]) -> Reply:
        """SmRemote.Shutdown: the service ends; containers run on until its successor adopts them."""
        self.shut_down()
        return Reply(body={})

    def give_secrets(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.GiveSecrets {TrainingJobName, Values}: the values of a live job's secrets, kept in memory alone."""
        try:
            record = self.workshop.store.find(str(request.get("TrainingJobName")))
        except NoSuchJobError:
            raise not_found() from None
        try:
            values = check_values(request, record.request)
        except ValueError as error:
            raise invalid(str(error)) from None
        if not record.is_terminal:
            self.workshop.secrets.give(record.name, values)
            if self.workshop.store.find(record.name).is_terminal:
                self.workshop.secrets.forget(record.name)
        return Reply(body={})

    def inspect_image(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.InspectImage {Image, CondaEnv}: which Python would run a job there, and what it finds.

        Or ``Unavailable``: why the engine cannot get the image.
        """
        image = request.get("Image")
        if not isinstance(image, str) or not 0 < len(image) <= 255:
            raise invalid("Image must be a string of 1 to 255 characters.")
        conda_env = request.get("CondaEnv")
        if conda_env is not None and not (isinstance(conda_env, str) and _CONDA_ENV.fullmatch(conda_env)):
            raise invalid("CondaEnv must be letters, digits, dashes and underscores.")
        try:
            self.workshop.engine.prepare_image(image, lambda _: None)
            python = self.workshop.engine.inspect_python(image, conda_env)
        except EngineError as error:
            return Reply(body={"Unavailable": str(error)})
        return Reply(
            body={
                "PythonVersion": python.version,
                "Platform": python.platform,
                "Glibc": python.glibc,
                "Packages": dict(python.packages),
                "Modules": list(python.modules),
                "Trouble": python.trouble,
                "Digest": python.digest,
            }
        )
