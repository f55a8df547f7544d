"""Connections: memcached binary for data and HTTP for queries, on one port.

The first byte tells which of the two it is.
"""

import asyncio

from tests.couchbase_double import http, kv
from tests.couchbase_double.node import Node


class Connection(asyncio.Protocol):
    """One connection, with the faults that concern all answers."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.transport: asyncio.Transport
        self._received = bytearray()
        self._conversation = kv.Conversation(node)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.node.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.node.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.node.faults.hang:
            return
        self._received += data
        if chr(self._received[0]).isupper():  # POST, GET; a request of the other has 0x80
            answers = http.answer(self.node, self._received)
        else:
            answers = self._conversation.answer(self._received)
        if self.node.faults.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.node.faults.delay, self._send, answers)
        else:
            self._send(answers)

    def _send(self, answers: bytes) -> None:
        if answers and not (self.transport.is_closing() or self.node.faults.hang):
            self.transport.write(answers)
