"""From a claimed job to its running container: inputs, configuration, image, start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sm_remote.home import make_private
from sm_remote.service.channels.fast_file import build_views
from sm_remote.service.channels.file_mode import find_channel_mounts, stage_channels
from sm_remote.service.channels.pipes import build_pipes
from sm_remote.service.checkpoints.companion import build_checkpoints
from sm_remote.service.engines.engine import EngineError, ImageMissing
from sm_remote.service.hosts.companions import Companion
from sm_remote.service.hosts.container_access import CredentialsError
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.hosts.secrets import SecretsError, build_secrets
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.jobs.config_files import write_config
from sm_remote.service.jobs.containers import build_container, find_cache, find_host_share
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.metrics.usage import USAGE_SUFFIX, UsageCompanion
from sm_remote.service.records import failures
from sm_remote.service.records.attempts import container_name
from sm_remote.service.records.job import JobRecord
from sm_remote.service.storage.objects import ObjectError


class JobFailedError(Exception):
    """The job cannot go on, for the reason that is the exception's text; nothing is uploaded."""


def build_companions(
    record: JobRecord, host: Host, tree: WorkingTree, shop: Workshop, say: Callable[[str], None]
) -> tuple[Companion, ...]:
    """What lives beside the container of one host; ``say`` appends the service's words to that host's log.

    Raises:
        JobFailedError: There are no credentials for S3.
    """
    try:
        checkpoints = build_checkpoints(record.request, tree, shop.buckets, say, shop.reach)
    except ObjectError as error:
        raise JobFailedError(failures.render_download_failure(str(error))) from error
    container = container_name(record.name, record.attempt, host.name)
    pipes = build_pipes(record.request, host, tree, shop.home, lambda: shop.engine.stop(container, 0.0))
    views = build_views(record.request, host, tree, shop.home, shop.buckets, say)
    access = shop.access.build_companions(record.request, tree.scratch)
    secrets = build_secrets(record, tree, shop.secrets)
    return (*checkpoints, *pipes, *views, *access, *secrets, _build_usage(record, host, tree, shop))


def _build_usage(record: JobRecord, host: Host, tree: WorkingTree, shop: Workshop) -> Companion:
    share = find_host_share(host, shop.host)
    return UsageCompanion(
        sampler=shop.sampler,
        container=container_name(record.name, record.attempt, host.name),
        path=shop.home.logs / record.name / f"{record.current.streams[host.name]}{USAGE_SUFFIX}",
        memory_bytes=share.memory_bytes,
        gpus=record.current.gpus.get(host.name, ()),
        disk=tree.root,
    )


def stage_inputs(
    record: JobRecord,
    host: Host,
    tree: WorkingTree,
    companions: Iterable[Companion],
    shop: Workshop,
    go_on: Callable[[], None],
    say: Callable[[str], None],
    *,
    is_made: bool,
) -> None:
    """Makes the working tree of one host with everything that the job reads, telling ``say`` about slow steps.

    A tree that is made already is only filled: a container that is held ready has it mounted.

    Raises:
        JobFailedError: An input is not to be had.
    """
    try:
        if not is_made:
            tree.create()
        for cache in find_cache(record, host, shop.home):
            make_private(cache.source.parents[1])
            cache.source.mkdir(parents=True, exist_ok=True)
            cache.source.chmod(0o777)
        write_config(
            tree.config,
            record.request,
            host=host,
            hosts=list_hosts(record.request),
            interface=shop.engine.network_interface,
        )
        stage_channels(record.request, host, tree.data, shop.buckets, go_on, say)
        for companion in companions:
            companion.prepare(go_on)
    except CredentialsError as error:
        raise JobFailedError(failures.render_credentials_failure(str(error))) from error
    except SecretsError as error:
        raise JobFailedError(failures.render_secrets_failure(str(error))) from error
    except (ObjectError, OSError) as error:
        raise JobFailedError(failures.render_download_failure(str(error))) from error


def prepare_image(record: JobRecord, shop: Workshop, say: Callable[[str], None]) -> None:
    """Makes the image available.

    Raises:
        JobFailedError: It is not to be had.
    """
    try:
        shop.engine.prepare_image(record.request["AlgorithmSpecification"]["TrainingImage"], say)
    except EngineError as error:
        raise JobFailedError(failures.render_image_failure(str(error))) from error


def start_container(
    record: JobRecord,
    host: Host,
    tree: WorkingTree,
    companions: Iterable[Companion],
    shop: Workshop,
    *,
    standby: str | None,
) -> None:
    """Starts the container of one host, if need be in place of one that is held ready, or adopts the one that runs.

    Raises:
        JobFailedError: The engine refuses.
    """
    try:
        channels = find_channel_mounts(record.request, host, tree.data, shop.buckets)
        spec = build_container(
            record, host, tree, channels, companions, machine=shop.host, owner=shop.owner, home=shop.home
        )
        shop.reach("container.before_start")
        shop.engine.start(replace(spec, standby=standby))
    except ObjectError as error:
        raise JobFailedError(failures.render_download_failure(str(error))) from error
    except ImageMissing as error:
        raise JobFailedError(failures.render_image_failure(str(error))) from error
    except EngineError as error:
        raise JobFailedError(failures.render_start_failure(str(error))) from error
