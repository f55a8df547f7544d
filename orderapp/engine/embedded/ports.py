"""Loopback ports: a free one that stays the same, and whether a Kafka answers there."""

import io
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator

LOOPBACK = "127.0.0.1"

# Below what Linux (32768) and macOS (49152) hand to outgoing connections. Inside that range
# a client that keeps trying to reach a stopped broker can be given the broker's own port,
# connect to itself, and so keep the broker from starting again.
FIRST, LAST = 20000, 29999

# Kafka's Metadata request, version 2, for no topic: api key, version, correlation id, no
# client id, then an empty list.
_METADATA = struct.pack(">hhihi", 3, 2, 1, -1, 0)
_LONGEST_ANSWER = 65_536  # bytes; one of a few hundred is expected


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
    """Free ports: the preferred ones first, then from a place that depends on the seed (the
    data directory), which keeps two brokers that start at once from one port."""
    span = LAST - FIRST + 1
    start = zlib.crc32(seed.encode("utf-8", "surrogateescape"))
    others = (FIRST + (start + step) % span for step in range(span))
    return filter(is_free, dict.fromkeys((*preferred, *others)))


def cluster_at(port: int, timeout: float = 1.0) -> str | None:
    """The id of the Kafka cluster on this port; None while none says that it is open for work.

    An open port alone is not enough: Kafka opens it long before it serves requests."""
    try:
        with (
            socket.create_connection((LOOPBACK, port), timeout) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            size = int.from_bytes(answer.read(4))
            return _cluster_in(io.BytesIO(answer.read(min(size, _LONGEST_ANSWER))))
    except (OSError, ValueError):
        return None


def _cluster_in(answer: io.BytesIO) -> str | None:
    """What a Metadata response says; ValueError when it is none."""
    brokers = _number(answer, 8) & 0xFFFFFFFF  # behind the correlation id
    if not brokers:
        return None
    for _ in range(brokers):
        _number(answer, 4)  # its id
        _text(answer)  # its host
        _number(answer, 4)  # its port
        _text(answer)  # its rack
    return _text(answer)


def _number(answer: io.BytesIO, size: int) -> int:
    data = answer.read(size)
    if len(data) < size:
        raise ValueError("the answer ends early")
    return int.from_bytes(data)


def _text(answer: io.BytesIO) -> str | None:
    size = _number(answer, 2)
    return None if size == 0xFFFF else _number(answer, size).to_bytes(size).decode()
