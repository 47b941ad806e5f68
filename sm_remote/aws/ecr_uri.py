"""The URI of an image in Amazon ECR, taken apart. Pure.

Source: Amazon ECR User Guide, "Amazon ECR private registry".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OWN_REPOSITORY = "sm-remote"
"""The one of the account's registry to which built images are pushed: one tag for each content."""
_FORM = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EcrImage:
    """Where an image lies.

    Attributes:
        account: Whose registry it is.
        region: Where the registry is.
        repository: In the registry.
        tag: ``latest`` where the URI says neither tag nor digest; empty where it says a digest alone.
        digest: Empty where the URI says none.
    """

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def image_id(self) -> dict[str, str]:
        """As ECR's API names an image; a digest says more than a tag."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}

    @property
    def arn_tail(self) -> str:
        """The repository's ARN behind the partition."""
        return f"ecr:{self.region}:{self.account}:repository/{self.repository}"


def parse_ecr_uri(uri: str) -> EcrImage | None:
    """The image that a URI names; None where it is none of ECR's."""
    match = _FORM.fullmatch(uri)
    if match is None:
        return None
    digest = match["digest"] or ""
    return EcrImage(
        account=match["account"],
        region=match["region"],
        repository=match["repository"],
        tag=match["tag"] or ("" if digest else "latest"),
        digest=digest,
    )


def spell_login(uri: str) -> str:
    """The command by which Docker may pull an image of ECR; empty for others'."""
    found = parse_ecr_uri(uri)
    if found is None:
        return ""
    host = uri.partition("/")[0]
    return f"aws ecr get-login-password --region {found.region} | docker login --username AWS --password-stdin {host}"
