"""Connections: memcached binary for data and HTTP for queries, on one port of each node.

The first byte tells which of the two it is.
"""

import asyncio
from functools import partial

from tests.couchbase_double import http, kv
from tests.couchbase_double.cluster import Cluster, Node


class Connection(asyncio.Protocol):
    """One connection, with the faults that concern all answers."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.cluster, self.node = cluster, node
        self.transport: asyncio.Transport
        self._received = bytearray()
        self._has_asked = False
        self._conversation = kv.Conversation(cluster, node, self._answer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.node.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.node.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.cluster.faults.hang:
            return
        self._received += data
        if chr(self._received[0]).isupper():  # POST, GET; other requests have 0x80 or 0x08
            if not self._has_asked:
                self._has_asked = True
                self.cluster.requests["query_connections"] += 1
            self._answer(http.answer(self.cluster, self._received))
        else:
            self._answer(self._conversation.answer(self._received))

    def _answer(self, answers: bytes) -> None:
        if self.cluster.faults.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.cluster.faults.delay, self._send, answers)
        else:
            self._send(answers)

    def _send(self, answers: bytes) -> None:
        if answers and not (self.transport.is_closing() or self.cluster.faults.hang):
            self.transport.write(answers)


class Listener:
    """A node's port, which can close and come back."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster, self._node = cluster, node
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            made = partial(Connection, self._cluster, self._node)
            self._server = await loop.create_server(
                made,
                self._cluster.host,
                self._node.port,
                backlog=512,
                ssl=self._cluster.tls,
            )
            self._node.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and cut those that are open; the documents stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self._node.transports):
            transport.abort()
