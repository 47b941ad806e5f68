"""Who may speak to the service: a program that knows the keys in the owner's discovery file, and no web page.

Loopback alone is no protection: a page in the user's browser reaches 127.0.0.1 too, by DNS rebinding even with readable
answers. So the Host must be the service's own, whatever a browser adds to a request refuses it, and every request
carries a Signature Version 4 over method, path, Host and body, computed here with botocore's own signer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from sm_remote.service.api.errors import ApiError

MAX_SKEW_S = 300.0
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")
_BROWSER_HEADERS = ("origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user", "referer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is verified.

    Attributes:
        method: Of HTTP.
        target: Path and query as sent.
        headers: Names in lower case; those sent twice are there twice.
        body: Whole.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name]

    def only(self, name: str) -> str | None:
        """A header's value, or None when it is absent or there is more than one."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The pair that signs every request."""

    access_key: str
    secret_key: str


def refuse_browsers(header_names: Iterable[str]) -> None:
    """Refuses whatever a browser sent.

    Raises:
        ApiError: 403.
    """
    names = {name.lower() for name in header_names}
    if not names.isdisjoint(_BROWSER_HEADERS):
        raise ApiError("AccessDeniedException", "Requests from a browser are refused.", 403)


def refuse_foreign_host(host: str | None, port: int) -> None:
    """Refuses a Host other than the service's own, which is how DNS rebinding shows.

    Raises:
        ApiError: 421.
    """
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise ApiError("AccessDeniedException", "This Host is not served here.", 421)


class Verifier:
    """Checks signatures against one pair of keys."""

    def __init__(self, keys: Keys, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def verify(self, request: Request, service: str | None) -> None:
        """Lets a request pass that was signed with the keys, for this service, now, and was not altered since.

        Args:
            request: As received.
            service: The signing name that belongs to what the request asks for; None where nothing here does, so that
                the request may be for any service.

        Raises:
            ApiError: 403, with the code that AWS uses for the case.
        """
        parsed = _AUTHORIZATION.fullmatch(request.only("authorization") or "")
        if parsed is None:
            raise ApiError("MissingAuthenticationTokenException", "Request is missing Authentication Token.", 403)
        access_key, date, region, scope_service, signed, signature = parsed.groups()
        if not hmac.compare_digest(access_key.encode(), self._keys.access_key.encode()):
            raise ApiError("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
        if service not in (None, scope_service):
            raise _mismatch(f"Credential should be scoped to correct service: '{service}'.")
        timestamp = self._check_time(request, date)
        expected = self._sign(request, signed.split(";"), timestamp, region, scope_service)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise _mismatch("The request signature we calculated does not match the signature you provided.")

    def _check_time(self, request: Request, date: str) -> str:
        timestamp = request.only("x-amz-date") or ""
        if not _DATE.fullmatch(timestamp) or timestamp[:8] != date:
            raise _mismatch("Date in Credential scope does not match the request's x-amz-date.")
        try:
            sent = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            raise _mismatch("x-amz-date is not a date.") from None
        if abs(self._clock() - sent) > MAX_SKEW_S:
            raise ApiError("RequestTimeTooSkewed", f"Signature expired: {timestamp} is too far from now.", 403)
        return timestamp

    def _sign(self, request: Request, signed: list[str], timestamp: str, region: str, service: str) -> str:
        needed = {"host", "x-amz-date"}
        needed.update(name for name in ("content-type", "x-amz-target") if request.values(name))
        if not needed.issubset(signed):
            raise _mismatch("SignedHeaders must contain host, x-amz-date, x-amz-target and content-type.")
        # A signed body hash that is not the body's would let the body be altered: botocore's signer trusts the header.
        claimed = request.values("x-amz-content-sha256")
        if claimed and claimed != [hashlib.sha256(request.body).hexdigest()]:
            raise _mismatch("x-amz-content-sha256 is not the SHA-256 of the body.")
        again = botocore.awsrequest.AWSRequest(
            method=request.method, url=f"http://{request.only('host')}{request.target}", data=request.body
        )
        for name, value in request.headers:
            if name in signed:
                again.headers.add_header(name, value)
        again.context["timestamp"] = timestamp
        credentials = botocore.credentials.Credentials(self._keys.access_key, self._keys.secret_key)
        signer = botocore.auth.SigV4Auth(credentials, service, region)
        text = signer.string_to_sign(again, signer.canonical_request(again))
        return str(signer.signature(text, again))


def _mismatch(message: str) -> ApiError:
    return ApiError("InvalidSignatureException", message, 403)
