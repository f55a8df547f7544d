"""Loopback ports: a free one that stays the same, and whether a Kafka answers there."""

import socket
import struct
import zlib
from collections.abc import Iterable, Iterator

LOOPBACK = "127.0.0.1"

# Below what Linux (32768) and macOS (49152) hand to outgoing connections. Inside that range
# a client that keeps trying to reach a stopped broker can be given the broker's own port,
# connect to itself, and so keep the broker from starting again.
FIRST, LAST = 20000, 29999

# Kafka's Metadata request, version 0, for no topic: api key, version, correlation id, no
# client id, then an empty list.
_METADATA = struct.pack(">hhihi", 3, 0, 1, -1, 0)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(seed: str, preferred: Iterable[int] = ()) -> Iterator[int]:
    """Free ports: the preferred ones first, then from a place that depends on the seed.

    The seed (the data directory) keeps two brokers that start at once from one port.
    """
    span = LAST - FIRST + 1
    start = zlib.crc32(seed.encode("utf-8", "surrogateescape"))
    others = (FIRST + (start + step) % span for step in range(span))
    seen = set()
    for port in (*preferred, *others):
        if port not in seen and is_free(port):
            seen.add(port)
            yield port


def kafka_answers(port: int, timeout: float = 1.0) -> bool:
    """Whether a Kafka on this port says that its broker is open for work.

    An open port alone is not enough: Kafka opens it long before it serves requests.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            # Size of the answer, correlation id, number of brokers that are open for work.
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0
