"""A stand-in for a Couchbase node that the real SDK talks to.

It runs as a process of its own, since the SDK's core ends its process on an answer that it
cannot read. What it cannot show (durability, index plans, scan consistency) needs a server.

    with couchbase_double() as double:
        store = CouchbaseStore(*double.access)
        double.inject(fail_sets=[["TEMPFAIL", 3]])
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).parents[2]


class CouchbaseDouble:
    """A running double: how to reach it, and how to make it fail."""

    def __init__(self, *arguments: str) -> None:
        self.username, self.password, self.bucket = "orderapp", "p@ss word", "orders"
        command = [
            sys.executable, "-m", "tests.couchbase_double", "--username", self.username,
            "--password", self.password, "--bucket", self.bucket, "--port", str(free_port()),
            *arguments,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.port: int = ready["port"]
        self._control: int = ready["control_port"]

    @property
    def host(self) -> str:
        """For COUCHBASE_HOST."""
        return f"127.0.0.1:{self.port}"

    @property
    def connection_string(self) -> str:
        return f"couchbase://{self.host}"

    @property
    def access(self) -> tuple[str, str, str, str]:
        """The arguments of `CouchbaseStore`."""
        return self.connection_string, self.username, self.password, self.bucket

    @property
    def environment(self) -> dict[str, str]:
        """The settings of an orderapp worker that uses the double."""
        return {
            "COUCHBASE_HOST": self.host,
            "COUCHBASE_USERNAME": self.username,
            "COUCHBASE_PASSWORD": self.password,
            "COUCHBASE_BUCKET": self.bucket,
        }

    def _command(self, name: str, **fields: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._control}/{name}",
            data=json.dumps(fields).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def inject(self, **faults: Any) -> None:
        """Set the fields of `node.Faults`; those not named are reset."""
        self._command("inject", **faults)

    def heal(self) -> None:
        """Let everything work again (also after `stop` and `pause`)."""
        self.inject()
        self.start()

    def pause(self) -> None:
        """Take requests and answer none, until `heal`."""
        self.inject(hang=True)

    def stop(self) -> None:
        """Refuse and cut connections; documents stay."""
        self._command("stop")

    def start(self) -> None:
        """Listen again on the same port."""
        self._command("start")

    def clear(self) -> None:
        """Forget all documents and indexes."""
        self._command("clear")

    def put(self, key: str, value: Any) -> None:
        """Write a document as another program would."""
        self._command("put", key=key, value=value)

    def documents(self) -> dict[str, Any]:
        """All documents by id."""
        return self._command("documents")

    def count(self) -> int:
        """How many documents there are (cheap, unlike `documents`)."""
        return self._command("count")

    def requests(self) -> dict[str, int]:
        """How many requests came in, by service (`kv`, `query`)."""
        return self._command("requests")

    def indexes(self) -> list[str]:
        """Names of the indexes that were made."""
        return self._command("indexes")

    def drop_indexes(self) -> None:
        """Forget all indexes."""
        self._command("drop_indexes")

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def couchbase_double(*arguments: str) -> Iterator[CouchbaseDouble]:
    """Run a double; `arguments` are those of `python -m tests.couchbase_double`."""
    double = CouchbaseDouble(*arguments)
    try:
        yield double
    finally:
        double.close()
