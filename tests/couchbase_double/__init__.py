"""A stand-in for a Couchbase cluster that the real SDK talks to.

It runs as a process of its own, since the SDK's core ends its process on an answer that it
cannot read. Durable writes, failovers, rights and the choice of indexes are modelled on what a
real cluster does; what the model can't show (speed, scan consistency) needs a server.

    with couchbase_double() as double:
        store = CouchbaseStore(double.settings)
        double.inject(fail_sets=[["TEMPFAIL", 3]])
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ports import free_port

if TYPE_CHECKING:
    from orderapp.couchbase_settings import Couchbase

ROOT = Path(__file__).parents[2]
#: What orderapp notes for itself, and no test means by documents.
OWN = frozenset({"orderapp::durable-writes", "alert-reasons"})


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
        self._ports: list[int] = ready["ports"]
        self._control: int = ready["control_port"]

    @property
    def host(self) -> str:
        """For COUCHBASE_HOST."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports)

    @property
    def connection_string(self) -> str:
        return f"couchbase://{self.host}"

    @property
    def settings(self) -> "Couchbase":
        """For `CouchbaseStore`."""
        # Not above: the double itself would make the whole app at its start.
        from orderapp.couchbase_settings import Couchbase

        return Couchbase(self.host, self.username, self.password, self.bucket)

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
        """Set the fields of `faults.Faults`; those not named are reset."""
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
        """Let all nodes be there again, with all copies."""
        self._command("start")

    def clear(self) -> None:
        """Forget all documents and indexes."""
        self._command("clear")

    def put(self, key: str, value: Any) -> None:
        """Write a document as another program would."""
        self._command("put", key=key, value=value)

    def documents(self) -> dict[str, Any]:
        """All documents by id, but for `OWN`."""
        found = self._command("documents")
        return {key: value for key, value in found.items() if key not in OWN}

    def count(self) -> int:
        """How many there are of these (cheap, unlike `documents`)."""
        return self._command("count")

    def requests(self) -> dict[str, int]:
        """How many requests came in, by service (`kv`, `query`)."""
        return self._command("requests")

    def expiry_fields(self) -> dict[str, int]:
        """What the last write of each document has asked for, by id, in s: from now on up to 30
        days, else Unix time; 0 is never."""
        return self._command("expiry_fields")

    def pass_days(self, days: float) -> None:
        """Let the documents be gone that expire within so many days."""
        self._command("pass_days", days=days)

    def logins(self) -> list[str]:
        """By which mechanisms clients tried to log in."""
        return self._command("logins")

    def indexes(self) -> list[str]:
        """Names of the indexes that were made."""
        return sorted(self._command("indexes"))

    def index_states(self) -> dict[str, str]:
        """How far each index is."""
        return {name: index["state"] for name, index in self._command("indexes").items()}

    def index_replicas(self) -> dict[str, int]:
        """How many replicas each index has."""
        return {name: index["replicas"] for name, index in self._command("indexes").items()}

    def put_index(self, statement: str, state: str = "online") -> None:
        """Let there be an index that somebody else created, in this state."""
        self._command("index", statement=statement, state=state)

    def finish_indexes(self) -> None:
        """Let the indexes be online that are being built."""
        self._command("finish_indexes")

    def scans(self) -> list[dict[str, Any]]:
        """What the last queries read: `index`, `entries` and `documents`, the latest last."""
        return self._command("scans")

    def set(self, **values: Any) -> None:
        """Change how it works: `roles` of the user, `index_nodes`, `new_state` of indexes,
        `replication_seconds`, `persist_seconds`, `recommit_seconds`."""
        self._command("set", **values)

    def levels(self) -> list[int]:
        """How many writes were asked for at each level of durability, from `none`."""
        return self._command("levels")

    def replicas(self) -> list[int]:
        """The nodes that have replicas."""
        return [number for number in self._command("chain")[1:] if number is not None]

    def kill_replica(self, number: int) -> None:
        """Let a node die that has a replica; nobody gives it up."""
        self._command("kill_replica", number=number)

    def give_up_replica(self, number: int) -> None:
        """Let a node with a replica die and be failed over."""
        self._command("give_up_replica", number=number)

    def fail_over(self) -> None:
        """Let the active node die; a replica takes over with what it has."""
        self._command("fail_over")

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
            self.process.wait(60)
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
