"""What a training job's container is given: command, environment, mounts and its share of the machine.

Source: SageMaker Developer Guide, "How Amazon SageMaker Runs Your Training Image".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sm_remote.catalogue import InstanceType, find_instance_type, render_memory, render_vcpu
from sm_remote.home import LOCAL_REGION, Home
from sm_remote.service.engines.engine import Cluster, ContainerSpec, Engine, Mount
from sm_remote.service.hosts.capacity import GIB, Capacity, describe_cap, plan_share
from sm_remote.service.hosts.companions import Companion
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.jobs.notes import list_notes
from sm_remote.service.records.attempts import container_name
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.warm_pools import CACHE_TARGET, CACHE_VARIABLE


def build_container(
    record: JobRecord,
    host: Host,
    tree: WorkingTree,
    channels: Iterable[Mount],
    companions: Iterable[Companion],
    *,
    machine: Capacity,
    owner: str,
    home: Home,
) -> ContainerSpec:
    """Says how the container of one host is made."""
    companions = tuple(companions)
    cache = find_cache(record, host, home)
    extra = [*cache, *channels, *(mount for companion in companions for mount in companion.mounts)]
    beside = {CACHE_VARIABLE: CACHE_TARGET} if cache else {}
    beside |= {key: value for companion in companions for key, value in companion.environment.items()}
    request = record.request
    algorithm = request["AlgorithmSpecification"]
    entrypoint = tuple(algorithm.get("ContainerEntrypoint", ()))
    arguments = tuple(algorithm.get("ContainerArguments", ()))
    share = find_host_share(host, machine)
    return ContainerSpec(
        name=container_name(record.name, record.attempt, host.name),
        image=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        arguments=arguments if entrypoint or arguments else ("train",),
        environment={**build_environment(record), **beside},
        mounts=tree.mounts(extra),
        cpus=share.cpus,
        memory_bytes=share.memory_bytes,
        gpus=record.current.gpus.get(host.name, ()),
        cluster=_plan_cluster(record, host),
        network=not request.get("EnableNetworkIsolation", False),
        scratch=tree.scratch,
        labels={
            "sm_remote.instance": owner,
            "sm_remote.job": record.name,
            "sm_remote.attempt": str(record.attempt),
        },
    )


def find_cache(record: JobRecord, host: Host, home: Home) -> tuple[Mount, ...]:
    """The directory that a host's warm pool keeps from job to job, where the job has one."""
    if record.pool is None:
        return ()
    return (Mount(source=home.pools / record.pool.root / "cache" / host.name, target=CACHE_TARGET, read_only=False),)


def network_name(job_name: str, attempt: int) -> str:
    """The deterministic name of the network that an attempt's hosts share."""
    return f"smr-{job_name}-a{attempt}"


def _plan_cluster(record: JobRecord, host: Host) -> Cluster | None:
    hosts = list_hosts(record.request)
    if len(hosts) == 1:
        return None
    return Cluster(
        network=network_name(record.name, record.attempt),
        host=host.name,
        hosts=[each.name for each in hosts],
        isolated=bool(record.request.get("EnableNetworkIsolation", False)),
    )


def build_environment(record: JobRecord) -> dict[str, str]:
    """The job's environment: the request's, and what the platform sets."""
    return {
        **record.request.get("Environment", {}),
        "TRAINING_JOB_NAME": record.name,
        "TRAINING_JOB_ARN": record.arn,
        "AWS_REGION": LOCAL_REGION,
    }


def find_host_share(host: Host, machine: Capacity) -> Capacity:
    """What of this machine one host of a job gets; all of it where the instance type is not known any more."""
    return plan_share(_find_instance(host.instance_type), machine)


def find_share(request: Mapping[str, Any], machine: Capacity) -> Capacity:
    """What of this machine a job gets, all its hosts together."""
    shares = (find_host_share(host, machine) for host in list_hosts(request))
    return sum(shares, start=Capacity(cpus=0, memory_bytes=0, gpus=0))


def render_first_lines(record: JobRecord, host: Host, engine: Engine, machine: Capacity) -> str:
    """What a host's log begins with: who runs it, what that does not isolate, and what it gets less than it asked."""
    instance = _find_instance(host.instance_type)
    if record.tags.get("sm_remote:instance") == "whole host":
        size, cap = f"all of it: {machine.cpus:g} vCPU, {machine.memory_bytes / GIB:.1f} GiB", None
    else:
        size = f"as {instance.name}: {render_vcpu(instance)}, {render_memory(instance)}"
        cap = describe_cap(instance, machine)
    attempt = f", attempt {record.attempt}" if record.attempt > 1 else ""
    lines = [f"training job {record.name} on this machine ({size}){attempt}. {engine.describe()}"]
    if cap:
        lines.append(cap)
    lines.extend(list_notes(record.request))
    return "\n".join(f"sm_remote: {line}" for line in lines)


def _find_instance(name: str) -> InstanceType:
    """What is known of an instance type, which may be nothing but its name."""
    try:
        return find_instance_type(name)
    except KeyError:
        # A job of another version of the catalogue.
        return InstanceType(name=name)
