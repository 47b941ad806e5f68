from __future__ import annotations

import pytest

from sm_remote.capture.credentials import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--index-url https://me:pa55@host/simple", "--index-url https://***@host/simple"),
        ("x @ git+https://ghp_token@github.com/o/r.git", "x @ git+https://***@github.com/o/r.git"),
        ("https://a:p@ss@host/", "https://***@host/"),
        ("https://host/x.whl?X-Amz-Signature=abc&b=1#sha256=0", "https://host/x.whl?X-Amz-Signature=***&b=1#sha256=0"),
        ("git+ssh://git@github.com/o/r", "git+ssh://git@github.com/o/r"),
        ("numpy==1.0 and me@example.org", "numpy==1.0 and me@example.org"),
        ("see https://host/simple/", "see https://host/simple/"),
    ],
)
def test_credentials_are_replaced_and_nothing_else(text, shown):
    assert redact(text) == shown
