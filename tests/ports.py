"""Loopback ports for the servers of tests."""

import fcntl
import functools
import os
import random
import socket
import tempfile
from pathlib import Path

# Neither the embedded broker's nor what the system hands to outgoing connections: a server that
# comes back on its port must find it free. And no port that browsers refuse, or that
# COUCHBASE_HOST refuses as one for HTTP.
PORTS = sorted({*range(10000, 20000)} - {10080, *range(18091, 18098)})


@functools.cache
def _locks() -> int:
    # One file for all tests on this machine: byte n is locked by the process that has port n.
    path = Path(tempfile.gettempdir()) / f"orderapp-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_ours(port: int) -> bool:
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        # Not orderapp's `is_free`: its import would make the whole app.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


_left = iter(random.sample(PORTS, len(PORTS)))


def free_port() -> int:
    """A free port that no other call returns, in any process, while this process lives.

    A port that the system chose is free for the next who asks as soon as it is closed, and so
    two servers that are yet to start can be told the same one.
    """
    return next(filter(_is_ours, _left))
