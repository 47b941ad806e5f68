"""Where objects lie: a directory of this machine, or S3. `open_store` tells which from the root's URI."""

from sm_remote.storage.blobs import put_blob
from sm_remote.storage.opening import open_store
from sm_remote.storage.store import ObjectInfo, Store, parse_s3_uri

__all__ = ["ObjectInfo", "Store", "open_store", "parse_s3_uri", "put_blob"]
