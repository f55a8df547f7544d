"""No two servers of the tests are told the same port."""

import subprocess
import sys
from pathlib import Path

from tests.ports import PORTS, free_port

ASK = "from tests.ports import free_port; print(*(free_port() for _ in range(300))); input()"


def test_processes_that_ask_at_once_get_different_ports():
    others = [
        subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ours = [free_port() for _ in range(300)]
    theirs = [[int(port) for port in other.stdout.readline().split()] for other in others]
    for other in others:
        other.communicate("\n")

    ports = [*ours, *theirs[0], *theirs[1]]
    assert len({*ports}) == 900
    assert {*ports} <= {*PORTS}
