"""GPUs are handed out by number."""

from __future__ import annotations

import pytest

from sm_remote.service.hosts.gpus import deal_gpus


@pytest.mark.parametrize(
    ("wanted", "taken", "total", "expected"),
    [
        ({"algo-1": 1}, [], 4, {"algo-1": (0,)}),
        ({"algo-1": 1}, [0], 4, {"algo-1": (1,)}),
        ({"algo-1": 2}, [1], 4, {"algo-1": (0, 2)}),
        ({"algo-1": 1, "algo-2": 2}, [0], 4, {"algo-1": (1,), "algo-2": (2, 3)}),
        ({"algo-1": 0}, [], 0, {"algo-1": ()}),
        # Alone on the machine, with more hosts than GPUs.
        ({"algo-1": 1, "algo-2": 1}, [], 1, {"algo-1": (0,), "algo-2": (0,)}),
    ],
)
def test_every_host_gets_what_is_free(wanted, taken, total, expected):
    assert deal_gpus(wanted, taken=taken, total=total) == expected
