"""The state of the double: its nodes, one bucket, and what is wrong with them."""

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from tests.couchbase_double.faults import Faults
from tests.couchbase_double.query import Queries
from tests.couchbase_double.replication import Copies

#: Where nodes listen unless it is said.
HOST = "127.0.0.1"


@dataclass
class Node:
    """One node: where it listens, and who is connected. Its documents are in `Copies`."""

    number: int
    port: int = 0
    transports: set[asyncio.Transport] = field(default_factory=set)


class Cluster:
    """Nodes with one bucket: its documents, its access and its faults."""

    def __init__(
        self, username: str, password: str, bucket: str, *, replicas: int = 0, nodes: int = 1
    ) -> None:
        self.username, self.password, self.bucket = username, password, bucket
        #: By which name or address clients reach its nodes.
        self.host = HOST
        self.faults = Faults()
        self.nodes = [Node(number) for number in range(nodes)]
        self.copies = Copies(replicas, nodes, lambda key: self.queries.rows.note(key))
        self.queries = Queries(bucket, lambda: self.copies.documents, self.has_keyspace)
        self.queries.index_nodes = nodes
        self.revision = 1
        #: And how many connections did any query come by.
        self.requests = {"kv": 0, "query": 0, "query_connections": 0}
        #: Unix time from which a document is gone.
        self.expiries: dict[bytes, float] = {}
        self.tls: ssl.SSLContext | None = None
        #: By document id, what writes have asked for, as in the protocol: seconds, or a Unix
        #: time when they are many.
        self.expiry_fields: dict[str, int] = {}
        #: The mechanisms that clients have used.
        self.logins: list[str] = []
        #: The scope and the collection that it has; documents and queries of no other.
        self.collection = ("_default", "_default")

    @property
    def collection_id(self) -> int:
        return 0 if self.collection == ("_default", "_default") else 8

    def has_keyspace(self, keyspace: tuple[str, ...]) -> bool:
        """Whether it is the collection's; a bucket alone stands for its default one."""
        return (self.bucket, *self.collection) == (keyspace + ("_default",) * 2)[:3]

    def chain_changed(self) -> None:
        """Clients get a new map, and queries see the documents of another node."""
        self.revision += 1
        self.queries.rows.forget()

    def put(self, key: bytes, value: bytes) -> None:
        """Write a document as another program would."""
        for copy in self.copies.nodes:
            copy.documents[key] = value
        self.queries.rows.note(key)

    def expire(self, until: float) -> None:
        """Remove the documents that are gone at this time (s of Unix time)."""
        for key in [key for key, at in self.expiries.items() if at <= until]:
            del self.expiries[key]
            self.copies.write(key, None, 0, 0, lambda _: None)

    def clear(self) -> None:
        """Forget all documents and indexes."""
        self.copies.clear()
        self.expiries.clear()
        self.queries.indexes.clear()
        self.queries.rows.forget()

    def config(self, node: Node, *, with_bucket: bool) -> bytes:
        """The cluster map: all of the 1024 partitions have the same copies."""
        end = "" if self.tls is None else "SSL"
        answer: dict[str, Any] = {
            "rev": self.revision,
            "revEpoch": 1,
            "nodesExt": [
                {
                    "services": {f"{name}{end}": n.port for name in ("kv", "n1ql", "mgmt")},
                    "hostname": self.host,
                    **({"thisNode": True} if n is node else {}),
                }
                for n in self.nodes
            ],
            "clusterCapabilitiesVer": [1, 0],
            "clusterCapabilities": {},
        }
        if with_bucket:
            chain = [-1 if number is None else number for number in self.copies.chain]
            answer |= {
                "name": self.bucket,
                "uuid": "0123456789abcdef0123456789abcdef",
                "nodeLocator": "vbucket",
                "bucketCapabilities": [
                    "collections", "xattr", "cccp", "nodesExt", "durableWrite"
                ],
                "vBucketServerMap": {
                    "hashAlgorithm": "CRC",
                    "numReplicas": len(chain) - 1,
                    "serverList": [f"{self.host}:{n.port}" for n in self.nodes],
                    "vBucketMap": [chain] * 1024,
                },
            }  # fmt: skip
        return json.dumps(answer).encode()
