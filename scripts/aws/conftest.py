"""What the checks on AWS are given, and what is left of them: nothing.

Off by default: nobody's `pytest` collects `verify.py`, and it refuses to start without a ceiling for its cost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from scripts.aws.account import Account, clean_up, open_account  # noqa: E402 - found by the line above
from scripts.aws.budget import VARIABLE, read_ceiling  # noqa: E402

_accounts: list[Account] = []


@pytest.fixture(scope="session")
def aws() -> Iterator[Account]:
    """The account; cleaned up before, of what a run that was killed has left, and after, whatever has happened."""
    try:
        ceiling = read_ceiling(os.environ)
    except ValueError as error:
        pytest.exit(str(error), returncode=2)
    if ceiling is None:
        pytest.exit(f"This costs money: set {VARIABLE} to what it may cost at most, such as 2.", returncode=2)
    account = open_account(ceiling)
    clean_up(account)
    _accounts.append(account)
    try:
        yield account
    finally:
        for trouble in clean_up(account):
            account.notes.append(trouble)


@pytest.fixture
def only_on_aws(aws: Account) -> None:
    """For what no stand-in can confirm."""
    if not aws.is_amazon:
        pytest.skip("only AWS can confirm this")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what it has cost, and the figures that were taken."""
    for account in _accounts:
        terminalreporter.section("verification on AWS")
        terminalreporter.line(
            f"jobs: {len(account.jobs)}; at list price ${account.budget.spent_usd:.3f} of at most "
            f"${account.budget.max_usd:.2f}"
        )
        for note in account.notes:
            terminalreporter.line(note)
