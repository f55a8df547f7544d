"""A client that sends bytes, and reads what comes back."""

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.e2e.worker import environment
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
#: MB that a process may hold more after many requests than after the first ones.
GROWTH = 20
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def check(self, method, target):
        """What holds for every answer, whatever was asked."""
        # Without Kafka these views are not ready; nothing else may fail.
        may_be = self.status == 503 and b"/readyz" in target
        assert may_be or self.status in range(200, 500), self
        assert len(self.body) < 300_000
        for inside in (b"Traceback", b'File "', str(ROOT).encode(), b"site-packages"):
            assert inside not in self.body, self
        assert self.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in self.headers["content-security-policy"]
        assert "aiohttp" not in self.headers["server"]
        if self.body.startswith(b'{"status":"unavailable"'):
            return  # of /readyz, which has a form of its own
        if self.status >= 400 and method != b"HEAD":
            assert self.headers["content-type"] == "application/problem+json", self
            problem = json.loads(self.body)
            assert problem["status"] == self.status
            assert problem["title"]


class Views:
    """The views, in a process of their own."""

    def __init__(self, port, process, log):
        self.port, self.process, self.log = port, process, log
        self._steady = None
        self._before = None

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def ask(self, request):
        """The first answer to these bytes, None when there is none."""
        with self.connect() as connection:
            with suppress(OSError):  # it may be refused before it was sent whole
                connection.sendall(request)
            return read(connection)

    def throw(self, data):
        """Send bytes and go."""
        with self.connect() as connection, suppress(OSError):
            connection.sendall(data)

    def check_alive(self):
        """It answers others at once, and has not shown a traceback."""
        if self._steady is None:
            self._steady = self.connect()
        self._steady.sendall(HEALTH)
        answer = read(self._steady)
        assert answer is not None
        assert answer.status == 200
        self.check_log()

    def check_log(self):
        """It shows no traceback."""
        log = self.log.read_text(errors="replace")
        assert "Traceback" not in log, log[-5000:]

    def counted(self, method, route, status):
        """How many requests were answered so."""
        found = self.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").body.decode()
        labels = f'{{method="{method}",route="{route}",status="{status}"}}'
        lines = [text for text in found.splitlines() if f"requests_total{labels}" in text]
        return sum(float(text.rpartition(" ")[2]) for text in lines)

    def memory(self):
        """MB."""
        return self.process.memory_info().rss / 1e6

    def check_memory(self):
        """It does not grow, from the first call on."""
        if self._before is None:
            self._before = self.memory()
        assert self.memory() < self._before + GROWTH, (self._before, self.memory())


def read(connection, data=b""):
    """An answer; of an event stream only its head."""
    while b"\r\n\r\n" not in data:
        if not (more := _receive(connection)):
            assert not data, data
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if head == b"HTTP/1.1 100 Continue":
        return read(connection, body)
    first, *lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length and (more := _receive(connection)):
        body += more
    return Answer(int(first.split()[1]), headers, body)


def _receive(connection):
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


@contextmanager
def views(directory):
    port, log = free_port(), directory / "views.log"
    data_dir = directory / "data"
    data_dir.mkdir()
    command = [sys.executable, "-m", "tests.web.served", str(port), str(data_dir)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stderr=out, env=environment(data_dir, {}))
    found = Views(port, psutil.Process(process.pid), log)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                found.check_alive()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield found
        found.check_log()
    finally:
        process.terminate()
        process.wait(60)
