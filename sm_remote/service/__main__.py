"""The process of the local training service: ``python -m sm_remote.service``.

One for each home: whoever holds the lock is it, and a second one ends at once. What it says goes to its standard error,
which the client that starts it points at the service's log file. On SIGTERM it ends and leaves containers running; the
next service adopts them.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping

from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import Discovery, Home, find_home, make_private, read_standing_options
from sm_remote.service.app import LocalService, ServiceConfig
from sm_remote.service.engines.engine import Engine
from sm_remote.service.hosts.capacity import Capacity

logger = logging.getLogger("sm_remote.service")

IDLE_VARIABLE = "SM_REMOTE_SERVICE_IDLE_S"
ENGINE_VARIABLE = "SM_REMOTE_ENGINE"
PARALLEL_VARIABLE = "SM_REMOTE_SERVICE_MAX_PARALLEL_JOBS"
GRACE_VARIABLE = "SM_REMOTE_STOP_GRACE_S"
INTERRUPTION_GRACE_VARIABLE = "SM_REMOTE_INTERRUPTION_GRACE_S"
CREDENTIALS_VARIABLE = "SM_REMOTE_CONTAINER_CREDENTIALS"


def main(
    environ: Mapping[str, str] | None = None,
    *,
    open_engine: Callable[[str, Home], Engine] | None = None,
    measure_host: Callable[[], Capacity] | None = None,
    reach: Callable[[str], None] = lambda point: None,
) -> int:
    """Runs the service until it is told to end or has nothing to do.

    Args:
        environ: With the variables above; the process's own unless given.
        open_engine: Opens the engine of a choice; the real ones unless given.
        measure_host: Tells what jobs may have of this machine.
        reach: Told the names of crash points.

    Returns:
        The exit code: 0 also when another service runs already, 1 when this one could not start.
    """
    environ = os.environ if environ is None else environ
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO, stream=sys.stderr)
    # Whatever is made from here on is the owner's alone; a job's directories are opened one by one.
    os.umask(0o077)
    # A thread that has something to do waits this long for another that computes; 5 ms by default, at each step of a
    # job's start.
    sys.setswitchinterval(0.001)
    home = find_home(dict(environ))
    lock = _take_lock(home)
    if lock is None:
        logger.info("Another local training service runs on %s", home.data)
        return 0
    try:
        engine = (open_engine or _open_real_engine)(environ.get(ENGINE_VARIABLE, "auto"), home)
        service = asyncio.run(
            _serve(home, engine, (measure_host or _measure_host)(), _read_config(environ, home), reach)
        )
    except RemoteError as error:
        logger.error("%s: %s", type(error).__name__, error)
        return 1
    finally:
        os.close(lock)
    return service


def _take_lock(home: Home) -> int | None:
    """Takes the lock of a home, which the kernel frees when the process ends however it ends."""
    make_private(home.data)
    make_private(home.service)
    lock = os.open(home.service / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _read_config(environ: Mapping[str, str], home: Home) -> ServiceConfig:
    parallel = _read_number(environ, PARALLEL_VARIABLE, 0.0)
    standing = read_standing_options(home)
    return ServiceConfig(
        idle_s=_read_number(environ, IDLE_VARIABLE, 900.0),
        max_parallel_jobs=int(parallel) or None,
        stop_grace_s=_read_number(environ, GRACE_VARIABLE, 120.0),
        interruption_grace_s=_read_number(environ, INTERRUPTION_GRACE_VARIABLE, 120.0),
        with_s3=standing.with_s3,
        container_credentials=environ.get(CREDENTIALS_VARIABLE) or standing.container_credentials or "none",
    )


def _read_number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        number = float(text or default)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise ConfigError(
            f"{name} is {text!r}.", why="It must be a number, not negative.", fix=f"Correct or unset {name}."
        )
    return number


def _open_real_engine(choice: str, home: Home) -> Engine:
    from sm_remote.service.engines.choice import open_engine

    return open_engine(choice, home)


def _measure_host() -> Capacity:
    from sm_remote.service.engines.choice import host_resources

    cpus, memory_bytes, gpus = host_resources()
    return Capacity(cpus=cpus, memory_bytes=memory_bytes, gpus=gpus)


async def _serve(
    home: Home, engine: Engine, host: Capacity, config: ServiceConfig, reach: Callable[[str], None]
) -> int:
    service = LocalService(home=home, engine=engine, host=host, config=config, reach=reach)
    loop = asyncio.get_running_loop()

    def watch_signals(_: Discovery) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.end)

    await service.run(watch_signals)
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads that wait for containers never return by themselves.
    os._exit(code)
