"""After a container's end: its outputs go to where the request wants them.

Repeating it is harmless, so a service that died in the middle starts it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.jobs.outputs import list_trees, publish_archive, publish_files
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectUri, parse_uri


def is_compressed(request: Mapping[str, Any]) -> bool:
    """Whether outputs become archives. Source: API_OutputDataConfig, CompressionType; GZIP is the default."""
    return bool(request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP")


def find_output(request: Mapping[str, Any], job_name: str) -> ObjectUri:
    """``<S3OutputPath>/<job>/output``."""
    return parse_uri(request["OutputDataConfig"]["S3OutputPath"]).join(job_name, "output")


def takes_no_time(request: Mapping[str, Any]) -> bool:
    """Whether collecting is a few renames: then nobody would see the job uploading."""
    uri = parse_uri(request["OutputDataConfig"]["S3OutputPath"])
    return uri.bucket == LOCAL_BUCKET and not is_compressed(request)


def publish_outputs(
    request: Mapping[str, Any],
    job_name: str,
    trees: Sequence[WorkingTree],
    buckets: Buckets,
    reach: Callable[[str], None],
) -> None:
    """Writes the model and the output data of all hosts as one; where two have the same file, the first host's.

    Raises:
        ObjectError: They cannot be written, or a link in them leads out.
    """
    output = find_output(request, job_name)
    bucket = buckets.find(output, kms_key_id=request["OutputDataConfig"].get("KmsKeyId"))
    # Once its outcome was taken, a container may still run: its own directories are not looked at again.
    found = [tree.taken if tree.taken.outcome.exists() else tree for tree in trees]
    for parts in zip(*(list_trees(tree.model, tree.output_data) for tree in found), strict=True):
        if is_compressed(request):
            publish_archive(parts, bucket, output, trees[0].scratch)
        else:
            publish_files(parts, bucket, output, lambda: reach("collect.mid_upload"))
