"""The state of the double: one node with one bucket, and what is wrong with it."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tests.couchbase_double.query import Queries

GET = 0x00  # the only opcode that reads a document
OK = 0x00
STATUSES = {
    "OK": OK,
    "NOT_FOUND": 0x01,
    "EXISTS": 0x02,
    "TOO_BIG": 0x03,
    "INVALID": 0x04,
    "LOCKED": 0x09,
    "NO_BUCKET": 0x08,
    "AUTH_ERROR": 0x20,
    "NO_ACCESS": 0x24,
    "INTERNAL": 0x84,
    "BUSY": 0x85,
    "TEMPFAIL": 0x86,
}


@dataclass
class Faults:
    """What goes wrong; `-1` means from now on."""

    fail_sets: list[list[Any]] = field(default_factory=list)  # [status, how many]
    fail_gets: list[list[Any]] = field(default_factory=list)
    fail_keys: dict[str, str] = field(default_factory=dict)  # document id -> status
    query_error: tuple[int, str, int] | None = None  # code, text, HTTP status
    delay: float = 0.0  # seconds before every answer
    hang: bool = False  # take requests, answer none
    hang_queries: bool = False
    hang_counts: bool = False  # those alone, as if there were very much to count

    def status_of(self, opcode: int, key: bytes) -> int:
        """The status to answer instead of doing what `opcode` asks; `OK` for none."""
        if self.fail_keys and (name := self.fail_keys.get(key.decode())):
            return STATUSES[name]
        pending = self.fail_gets if opcode == GET else self.fail_sets
        if not pending:
            return OK
        name, left = pending[0]
        if left == 1:
            pending.pop(0)
        elif left > 1:
            pending[0][1] = left - 1
        return STATUSES[name]


@dataclass
class Node:
    """A node with one bucket: its documents, its access and its faults."""

    username: str
    password: str
    bucket: str
    host: str = "127.0.0.1"
    port: int = 0
    faults: Faults = field(default_factory=Faults)
    documents: dict[bytes, bytes] = field(default_factory=dict)
    transports: set[asyncio.Transport] = field(default_factory=set)
    requests: dict[str, int] = field(default_factory=lambda: {"kv": 0, "query": 0})

    def __post_init__(self) -> None:
        self.queries = Queries(self.bucket, self.documents)

    def config(self, *, with_bucket: bool) -> bytes:
        """The cluster map: this node for all of the 1024 partitions."""
        services = {"kv": self.port, "n1ql": self.port, "mgmt": self.port}
        answer: dict[str, Any] = {
            "rev": 1,
            "revEpoch": 1,
            "nodesExt": [{"services": services, "thisNode": True, "hostname": self.host}],
            "clusterCapabilitiesVer": [1, 0],
            "clusterCapabilities": {},
        }
        if with_bucket:
            answer |= {
                "name": self.bucket,
                "uuid": "0123456789abcdef0123456789abcdef",
                "nodeLocator": "vbucket",
                "bucketCapabilities": ["collections", "xattr", "cccp", "nodesExt"],
                "vBucketServerMap": {
                    "hashAlgorithm": "CRC",
                    "numReplicas": 0,
                    "serverList": [f"{self.host}:{self.port}"],
                    "vBucketMap": [[0]] * 1024,
                },
            }
        return json.dumps(answer).encode()
