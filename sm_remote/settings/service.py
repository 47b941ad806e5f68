"""Settings of the local training service, which reads them when it starts."""

from __future__ import annotations

from traitlets import HasTraits

from sm_remote.settings.kinds import Choice, Seconds, Text, Whole


class ServiceSettings(HasTraits):
    """The settings with their defaults."""

    engine = Choice(
        *("auto", "docker", "process"),
        default="auto",
        help="What runs local jobs: Docker containers, or processes without a container; 'auto' takes Docker when it "
        "answers. Read when the local service starts.",
    )
    container_credentials = Text(
        "'none', 's3' or 'profile:NAME'",
        pattern=r"none|s3|profile:\S+",
        help="Which AWS credentials code in a local container gets, in place of an execution role's: none, those of "
        "the S3 server that `sm-remote service start --with-s3` starts, or those of a profile of yours. Never under "
        "network isolation. Default: none. Read when the local service starts.",
    )
    service_idle_s = Seconds(
        default=900.0, help="The local service exits after this long without a job. Read when it starts."
    )
    service_max_parallel_jobs = Whole(
        least=1,
        default=None,
        allow_none=True,
        help="How many local jobs run at once; default: as many as this machine has CPUs and memory for. "
        "Read when the local service starts.",
    )
