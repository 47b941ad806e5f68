"""Archives that travelled with a function, once they are verified."""

from __future__ import annotations


def unpack(archive: str, directory: str) -> str:
    """Unpacks a verified zip or tar archive into a directory, and gives the directory."""
    with open(archive, "rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        import zipfile

        with zipfile.ZipFile(archive) as source:
            source.extractall(directory)
    else:
        import tarfile

        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(directory, filter="data")
            else:
                tar.extractall(directory)  # noqa: S202 - verified: it is what the user's own client packed
    return directory
