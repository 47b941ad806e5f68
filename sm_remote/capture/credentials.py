"""Keeps credentials out of everything that people and files get to see: messages, logs, locks, manifests."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)(?P<secret>[^/\s@'\"]+(?:@[^/\s@'\"]+)*)@")
_QUERY = re.compile(r"(?P<name>[?&][^=&\s]*(?:token|key|secret|password|signature)[^=&\s]*=)[^&#\s'\"]+", re.IGNORECASE)
_PUBLIC_USERS = frozenset({"git", "hg"})
"""Names that say how to connect, not as whom: ``ssh://git@host``."""


def redact(text: str) -> str:
    """The text with ``user:password@`` in URLs, and tokens in their queries, replaced by stars."""
    if "://" not in text:
        return text
    return _QUERY.sub(r"\g<name>***", _USER_INFO.sub(_hide, text))


def _hide(match: re.Match[str]) -> str:
    if match["secret"] in _PUBLIC_USERS:
        return match[0]
    return f"{match['scheme']}***@"
