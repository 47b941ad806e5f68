"""Where sm_remote keeps its state on this machine, and how a client finds the local training service.

Everything lies under the XDG data and cache directories, or wholly under ``SM_REMOTE_HOME`` when that is set.
Client and service share these paths and nothing else but the store and the API.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from sm_remote.errors import ConfigError

LOCAL_BUCKET = "sm-remote-local"
"""The reserved bucket of the embedded store: never a bucket of AWS."""
LOCAL_ACCOUNT = "000000000000"
LOCAL_REGION = "us-east-1"
LOCAL_KEY_PREFIX = "SMRL"
"""What the access key of a local training service begins with."""
LOCAL_ROLE_ARN = f"arn:aws:iam::{LOCAL_ACCOUNT}:role/sm-remote-local"


def check_platform(platform: str) -> None:
    """Refuses the platform (``sys.platform``) on which there is neither a service nor a home that is private.

    Raises:
        ConfigError: It is Windows.
    """
    if platform == "win32":
        raise ConfigError(
            "sm_remote does not run on Windows itself.",
            why="Its local training service needs the processes, file locks and containers of Linux.",
            fix="Use the Windows Subsystem for Linux: `wsl --install`, then install sm-remote inside it.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The directories of one user's state.

    Attributes:
        data: What must not be lost: store, jobs, the service's database.
        cache: What can be made again.
    """

    data: Path
    cache: Path

    @property
    def store(self) -> Path:
        """The embedded store: one directory a bucket, one file an object."""
        return self.data / "store"

    @property
    def service(self) -> Path:
        """Database, keys, discovery file and log of the local training service."""
        return self.data / "service"

    @property
    def jobs(self) -> Path:
        """Working trees of jobs: ``<job>/<attempt>/<host>/...``."""
        return self.data / "jobs"

    @property
    def s3(self) -> Path:
        """Data, configuration and log of the S3 server that may run beside the service."""
        return self.data / "s3"

    @property
    def pools(self) -> Path:
        """What warm pools keep from one job to the next: ``<first job>/...``."""
        return self.data / "pools"

    @property
    def leftovers(self) -> Path:
        """Working trees of ended jobs that could not be removed: a container wrote in them as another user."""
        return self.data / "leftovers"

    @property
    def limits(self) -> Path:
        """When this user's processes may send their next requests to AWS."""
        return self.data / "limits"

    @property
    def logs(self) -> Path:
        """Log lines of jobs: ``<job>/<stream>``."""
        return self.data / "logs"

    @property
    def costs(self) -> Path:
        """The ledger of what jobs have cost."""
        return self.data / "costs"

    @property
    def prices(self) -> Path:
        """One JSON file for each region whose prices AWS was asked for."""
        return self.cache / "prices"

    @property
    def interpreters(self) -> Path:
        """One JSON file for each Python interpreter that a local image was asked to be made from."""
        return self.data / "interpreters"

    @property
    def images(self) -> Path:
        """One directory for each `Image` that was asked for: Dockerfile, files and what else it is built from."""
        return self.data / "images"


def find_home(environ: os._Environ[str] | dict[str, str] | None = None) -> Home:
    """Tells where state lives, creating nothing."""
    env = os.environ if environ is None else environ
    one = env.get("SM_REMOTE_HOME")
    if one:
        root = Path(one).expanduser().absolute()
        return Home(data=root, cache=root / "cache")
    return Home(
        data=platformdirs.user_data_path("sm_remote", appauthor=False),
        cache=platformdirs.user_cache_path("sm_remote", appauthor=False),
    )


def build_home_environment(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is to find this home, wherever it runs and whatever has changed since."""
    without = {name: value for name, value in environ.items() if name != "SM_REMOTE_HOME"}
    is_one_directory = home.cache == home.data / "cache"
    return {**without, "SM_REMOTE_HOME": str(home.data)} if is_one_directory else without


def make_private(directory: Path) -> Path:
    """Creates a directory that only its owner can enter, and closes one that was open."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        directory.chmod(0o700)
    return directory


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    # A name of its own for each writer: several threads may write the same file for the first time.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """How to reach the running local training service.

    Attributes:
        pid: Its process.
        port: On 127.0.0.1.
        version: Of sm_remote.
        instance: Random, new at each start; sent back in every response.
        access_key: For SigV4.
        secret_key: For SigV4. The file is readable by its owner alone.
        s3_endpoint_url: Of the S3 server beside it, where it was started with one.
    """

    pid: int
    port: int
    version: str
    instance: str
    access_key: str
    secret_key: str
    s3_endpoint_url: str | None = None

    @property
    def endpoint_url(self) -> str:
        """What AWS clients are pointed at."""
        return f"http://127.0.0.1:{self.port}"


def discovery_path(home: Home) -> Path:
    """The file in which a running service says where it is."""
    return home.service / "discovery.json"


def write_discovery(home: Home, discovery: Discovery) -> None:
    """Publishes where the service is; called by the service alone."""
    make_private(home.service)
    write_private(discovery_path(home), json.dumps(asdict(discovery)))


def read_discovery(home: Home) -> Discovery | None:
    """Reads where the service says it is, or None when no file is there or it is not ours to trust."""
    path = discovery_path(home)
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            return None
        return Discovery(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingOptions:
    """How this user's service is to be started each time, until `sm-remote service stop`.

    Attributes:
        with_s3: Whether an S3 server runs beside it.
        container_credentials: What code in containers gets; None for what the setting says.
    """

    with_s3: bool = False
    container_credentials: str | None = None


def read_standing_options(home: Home) -> StandingOptions:
    """Reads them; the defaults where none were written."""
    try:
        return StandingOptions(**json.loads((home.service / "options.json").read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return StandingOptions()


def write_standing_options(home: Home, options: StandingOptions) -> None:
    """Writes them for every service that is started from now on."""
    make_private(home.data)
    make_private(home.service)
    write_private(home.service / "options.json", json.dumps(asdict(options)))
