"""A proxy in front of Kafka, which is told of each request before Kafka gets it."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from tests.ports import free_port

#: Kafka's numbers of requests.
NAMES = {
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    9: "OffsetFetch",
    10: "FindCoordinator",
    11: "JoinGroup",
    12: "Heartbeat",
    13: "LeaveGroup",
    14: "SyncGroup",
    18: "ApiVersions",
    19: "CreateTopics",
    32: "DescribeConfigs",
}


class Between:
    """Listens on `port` and passes on to `target`; use it with `with`.

    `seen(name, client_id)` is called, in a thread of the connection's, before a request is
    passed on."""

    def __init__(self, target: int, seen: Callable[[str, str], None]) -> None:
        self.port = free_port()
        self._target = target
        self._seen = seen
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> "Between":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Closed alone, it would go on in the thread that waits for it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            self._end(each)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            self._end(client)
            return
        self._sockets.append(server)
        threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
        with contextlib.suppress(OSError, EOFError):
            while True:
                size = self._read(client, 4)
                request = self._read(client, struct.unpack(">i", size)[0])
                key, _, _, length = struct.unpack_from(">hhih", request)
                client_id = request[10 : 10 + max(0, length)].decode()
                self._seen(NAMES.get(key, str(key)), client_id)
                server.sendall(size + request)
        self._end(client)
        self._end(server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        self._end(client)
        self._end(server)

    @staticmethod
    def _read(connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    @staticmethod
    def _end(each: socket.socket) -> None:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
