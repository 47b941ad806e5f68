"""How AWS and botocore say that credentials which were good are so no longer. Pure."""

from __future__ import annotations

from typing import Any

EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"))
"""Codes of answers."""
_NOT_RENEWED = frozenset(
    (
        *("CredentialRetrievalError", "TokenRetrievalError", "RefreshWithMFAUnsupportedError", "LoginRefreshRequired"),
        *("SSOError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "PendingAuthorizationExpiredError"),
    )
)
"""Names of botocore's exceptions for credentials that it could not renew."""


def is_expired(error: Any) -> bool:
    """Whether what boto3 raised says so."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # an HTTPClientError has the attribute, too
        return answer.get("Error", {}).get("Code", "") in EXPIRED
    return not _NOT_RENEWED.isdisjoint(kind.__name__ for kind in type(error).__mro__)
