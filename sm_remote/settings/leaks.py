"""Which values of a job's request, and which of its commands, look like secrets.

A request is readable by whoever may describe the job, commands by whoever may read the bucket or the log.

A table of the forms that issuers give their keys finds most of them whatever they are called. A name that says
"password" or "token" counts as well, where its value looks made up by a machine. What has an ordinary form (a number,
a path, a URI, an ARN, words with dashes between) is never one, so that models, prompts and tokens of text pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sm_remote.errors import ConfigError

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        # Source: each issuer's documentation of its keys' form, as their secret scanners look for it.
        ("an AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
        ("a GitHub token", r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})"),
        ("a GitLab token", r"(?<![A-Za-z0-9])gl(?:pat|dt|rt|cbt)-[A-Za-z0-9_\-]{20}"),
        ("a Hugging Face token", r"(?<![A-Za-z0-9_])(?:hf|api_org)_[A-Za-z]{34}(?![A-Za-z])"),
        (
            "an API key of OpenAI or Anthropic",
            r"(?<![A-Za-z0-9_\-])sk-(?=[A-Za-z0-9_\-]*\d)(?=[A-Za-z0-9_\-]*[A-Z])[A-Za-z0-9_\-]{20}",
        ),
        ("a Slack token", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9\-]{10}|hooks\.slack\.com/services/T[A-Z0-9]+/B"),
        ("a Google key", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_\-]{35}|(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_\-]{20}"),
        ("a Stripe key", r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{20}"),
        ("a PyPI token", r"(?<![A-Za-z0-9])pypi-AgEIcHlwaS[A-Za-z0-9_\-]{20}"),
        ("an npm token", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}"),
        ("a Databricks token", r"(?<![A-Za-z0-9])dapi[0-9a-f]{32}"),
        ("a SendGrid key", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
        ("an Azure storage key", r"AccountKey=[A-Za-z0-9+/]{40}"),
        ("a JSON web token", r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10}"),
        ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("a URL with a password", r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\s:@]*:(?![$<{*])[^/\s@]{3,}@"),
        ("a signed URL", r"[?&](?:X-Amz-Signature|X-Goog-Signature|sig)=[A-Za-z0-9%+/]{32}"),
    )
)
_PASSWORD_NAME = re.compile(r"(?:\A|[_\-.])(?:PASSWORD|PASSWD|PASSPHRASE|PWD)\Z", re.IGNORECASE)
_TOKEN_NAME = re.compile(
    r"(?:\A|[_\-.])(?:TOKEN|SECRET|CREDENTIALS?|APIKEY|"
    r"(?:API|ACCESS|SECRET|PRIVATE|ENCRYPTION|AUTH|ACCOUNT|SIGNING|MASTER)[_\-.]?KEY(?:[_\-.]ID)?)\Z",
    re.IGNORECASE,
)
_ORDINARY = re.compile(
    r"arn:[\w\-]+:.*"  # of a secret too: it names one
    r"|(?:env|secretsmanager):.*"
    r"|\$.*|<.*>|\{\{.*\}\}|\*+"  # what is filled in elsewhere
    r"|[~.]{0,2}/.*"  # a path; random base64 that begins so is a loss
    r"|[A-Za-z][A-Za-z0-9+.\-]*://.*"  # a URI; with a password it was found before
    r"|[+\-]?[\d.,:eE+\-\s]+",  # a number, a date, a time
    re.DOTALL,
)
_PLAIN_WORDS = frozenset({"disabled", "enabled", "required", "optional", "default", "prompt", "unset", "changeme"})
_ASSIGNMENT = re.compile(
    r"(?<![\w$\-])(?:--)?(?P<name>[A-Za-z_][\w\-]*)="
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s;&|)'\"]*))"
)
"""``NAME=value`` and ``--name=value`` of a shell."""
_SHORTEST_PASSWORD, _SHORTEST_TOKEN = 6, 16
_LEAST_ENTROPY_BITS = 3.0
"""A character's, on average: 32 random hexadecimal digits have 3.2 to 3.9, repeated or ordered text less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """A value that looks like a secret: the setting and the name that it has there, and what it looks like."""

    setting: str
    name: str
    what: str


def describe_secret(name: str, value: str) -> str | None:
    """What a value looks like, such as ``a GitHub token``; None where it looks like no secret. Pure."""
    for what, form in _FORMS:
        if form.search(value):
            return what
    if _ORDINARY.fullmatch(value.strip()):
        return None
    if _PASSWORD_NAME.search(name) and len(value) >= _SHORTEST_PASSWORD and value.lower() not in _PLAIN_WORDS:
        return "a password"
    if _TOKEN_NAME.search(name) and _is_random(value):
        return "a secret, by its name and its form"
    return None


def _is_random(value: str) -> bool:
    """Whether a value looks made by a machine, not by a person."""
    if len(value) < _SHORTEST_TOKEN or not re.fullmatch(r"[A-Za-z0-9+/=_\-.~:%!@#$^&*]+", value):
        return False
    pieces = [piece for piece in re.split(r"[^A-Za-z0-9]+", value) if piece]
    if all(len(piece) <= 4 or re.fullmatch(r"[A-Z]?[a-z]{1,15}|[A-Z]{1,15}|\d+", piece) for piece in pieces):
        return False  # words and numbers with something between
    counts = (value.count(character) / len(value) for character in set(value))
    return -sum(share * math.log2(share) for share in counts) >= _LEAST_ENTROPY_BITS


def find_leak(values: Mapping[str, Mapping[str, str]], *, passed: Collection[str] = ()) -> Leak | None:
    """The first value that looks like a secret.

    Args:
        values: By setting, then by name.
        passed: The names whose values the user knows to be none.
    """
    for setting, texts in values.items():
        for name, value in texts.items():
            what = None if name in passed else describe_secret(name, str(value))
            if what is not None:
                return Leak(setting=setting, name=name, what=what)
    return None


def refuse_leaks(values: Mapping[str, Mapping[str, str]], *, target: str, passed: Collection[str] = ()) -> None:
    """Refuses a request with a value that looks like a secret; the error does not show it.

    Args:
        values: By setting, then by name.
        target: Where the job would run.
        passed: The names whose values the user knows to be none.

    Raises:
        ConfigError: There is one. It says what to write instead.
    """
    leak = find_leak(values, passed=passed)
    if leak is None:
        return
    variable = re.sub(r"\W", "_", leak.name).upper()
    reading = "" if leak.setting == "environment_variables" else f" and read os.environ[{variable!r}] in the function"
    raise ConfigError(
        f"{leak.setting}[{leak.name!r}] looks like {leak.what}; nothing was sent.",
        why="Everybody who may describe the job could read it there, for as long as the job is remembered.",
        fix=f"{advise(variable, target)}{reading}. If it is no secret: not_secret=[{leak.name!r}].",
        setting=leak.setting,
        name=leak.name,
    )


def refuse_leaks_of_commands(texts: Mapping[str, str], *, target: str, passed: Collection[str] = ()) -> None:
    """Refuses commands of a shell in which a value looks like a secret; the error does not show it.

    Args:
        texts: By place, such as ``pre_execution_commands[0]``.
        target: Where the job would run.
        passed: The variables, and the places, whose values the user knows to be none.

    Raises:
        ConfigError: There is one. It says what to write instead.
    """
    for place, text in texts.items():
        for number, line in enumerate(text.splitlines(), start=1):
            leak = None if place in passed else _find_leak_of_line(place, line, passed)
            if leak is None:
                continue
            where = f"{place}, line {number}," if "\n" in text.strip() else place
            raise ConfigError(
                f"{where} has what looks like {leak.what}; nothing was sent.",
                why="Commands lie in the bucket, and what they print in the job's log: whoever may read one of them "
                "could read it.",
                fix=f"{advise(_name_variable(leak.name), target)}: the function finds it there, and can start what "
                "needs it. Packages of a private index travel with dependencies=[...], and its password stays here. "
                f"If it is no secret: not_secret=[{leak.name!r}].",
                setting=place.partition("[")[0],
                name=leak.name,
            )


def _find_leak_of_line(place: str, line: str, passed: Collection[str]) -> Leak | None:
    for match in _ASSIGNMENT.finditer(line):
        value = match["double"] or match["single"] or match["bare"] or ""
        what = None if match["name"] in passed else describe_secret(match["name"], value)
        if what is not None:
            return Leak(setting=place, name=match["name"], what=what)
    rest = _ASSIGNMENT.sub(lambda match: "" if match["name"] in passed else match[0], line)
    what = describe_secret("", rest)
    return None if what is None else Leak(setting=place, name=place, what=what)


def _name_variable(name: str) -> str:
    """What to call a secret: as it was called, or ``TOKEN`` where a place in commands is all that is known."""
    return "TOKEN" if "[" in name or name.startswith("pre_execution") else re.sub(r"\W", "_", name).upper()


def advise(variable: str, target: str) -> str:
    """The line to write where a secret is to reach a job, without its value."""
    if target == "local":
        return (
            f"Write secrets={{{variable!r}: 'env:{variable}'}}, with {variable} set in the environment of this process"
        )
    return (
        f'Store it once, `aws secretsmanager create-secret --name {variable} --secret-string "${variable}"`, '
        f"and write secrets={{{variable!r}: 'secretsmanager:{variable}'}}"
    )
