from __future__ import annotations

import pytest

from sm_remote.errors import JobFailed
from sm_remote.runtime.mpi_daemon import parse_daemon_command

OPEN_MPI_4 = """orted -mca ess "env" -mca ess_base_jobid "3" -mca orte_hnp_uri "3.0;tcp://10.0.0.2:41" --daemonize"""
OPEN_MPI_5 = (
    "( test ! -r ./.profile || . ./.profile; PRTE_PREFIX=/opt/mpi;export PRTE_PREFIX;"
    "LD_LIBRARY_PATH=/opt/mpi/lib:$LD_LIBRARY_PATH;export LD_LIBRARY_PATH;"
    '/opt/mpi/bin/prted --prtemca prte_hnp_uri "p@0.0;tcp://10.0.0.2:41" )'
)


def test_the_line_of_open_mpi_4():
    command = parse_daemon_command(OPEN_MPI_4)
    assert command.name == "orted"
    assert command.variables == {}
    expected = ("-mca", "ess", "env", "-mca", "ess_base_jobid", "3", "-mca", "orte_hnp_uri", "3.0;tcp://10.0.0.2:41")
    assert command.arguments == expected


def test_the_line_of_open_mpi_5_names_the_place_of_its_libraries(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/nvidia/lib")
    command = parse_daemon_command(OPEN_MPI_5)
    assert command.name == "prted"
    assert command.arguments == ("--prtemca", "prte_hnp_uri", "p@0.0;tcp://10.0.0.2:41")
    assert command.variables == {
        "PRTE_PREFIX": "/opt/mpi",
        "LD_LIBRARY_PATH": "/opt/mpi/lib:/usr/local/nvidia/lib",
    }


@pytest.mark.parametrize(
    "line",
    [
        "",
        ";",
        "rm -rf /",
        "orted; rm -rf /",
        "orted ; rm",
        "LD_PRELOAD=/tmp/x.so;export LD_PRELOAD;orted",
        "PATH=/tmp;export LD_PRELOAD;orted",
        "PATH=/tmp",
        "PATH=/tmp;",
        'orted "',
        "( test ! -r ./.profile || . ./.profile; touch x )",
    ],
)
def test_anything_else_is_refused(line):
    with pytest.raises(JobFailed, match="not its daemon"):
        parse_daemon_command(line)
