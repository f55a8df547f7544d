"""`python -m tests.couchbase_double --port 0`: run the double until its input ends.

It prints one JSON line with `ports` (of each node) and `control_port`. Control is HTTP on its
own port, so that it still answers while nodes are stopped; the commands are those of
`CouchbaseDouble`.
"""

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
import time
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.couchbase_double import OWN, sql
from tests.couchbase_double.cluster import HOST, Cluster
from tests.couchbase_double.faults import Faults
from tests.couchbase_double.planner import Index
from tests.couchbase_double.server import Listener


class Double:
    """The cluster and its nodes' listeners."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._listeners = [Listener(cluster, node) for node in cluster.nodes]
        self._commands = {
            "inject": self._inject, "put": self._put, "stop": self.stop, "start": self.start,
            "kill_replica": self._kill_replica, "give_up_replica": self._give_up_replica,
            "fail_over": self._fail_over, "set": self._set, "index": self._index,
            "finish_indexes": self._finish_indexes,
            "pass_days": self._pass_days,
        }  # fmt: skip

    async def start(self) -> None:
        """Let all nodes be there, with all copies."""
        self.cluster.copies.rebalance()
        self.cluster.chain_changed()
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        """Let all nodes be away."""
        for listener in self._listeners:
            await listener.stop()

    async def command(self, name: str, fields: dict[str, Any]) -> Any:
        if name in self._commands:
            return await self._commands[name](**fields)
        if name == "clear":
            self.cluster.clear()
        elif name == "drop_indexes":
            self.cluster.queries.indexes.clear()
        else:
            return self._look(name)
        return None

    async def _inject(self, **faults: Any) -> None:
        self.cluster.faults = Faults(**faults)

    async def _put(self, key: str, value: Any) -> None:
        self.cluster.put(key.encode(), json.dumps(value).encode())

    async def _pass_days(self, days: float) -> None:
        self.cluster.expire(time.time() + days * 24 * 3600)

    async def _kill_replica(self, number: int) -> None:
        self.cluster.copies.nodes[number].is_up = False
        await self._listeners[number].stop()

    async def _give_up_replica(self, number: int) -> None:
        self.cluster.copies.fail_over_replica(number)
        self.cluster.chain_changed()
        await self._listeners[number].stop()

    async def _fail_over(self) -> None:
        lost = self.cluster.copies.chain[0]
        self.cluster.copies.fail_over()
        self.cluster.chain_changed()
        await self._listeners[lost or 0].stop()

    async def _set(self, **values: Any) -> None:
        for name, value in values.items():
            if name == "roles":
                self.cluster.queries.roles = frozenset(value)
            elif name in ("index_nodes", "new_state"):
                setattr(self.cluster.queries, name, value)
            elif hasattr(self.cluster.copies, name):
                setattr(self.cluster.copies, name, value)
            else:
                raise web.HTTPNotFound

    async def _index(self, statement: str, state: str = "online") -> None:
        asked = sql.Parser(statement).statement()
        assert isinstance(asked, sql.CreateIndex)
        index = Index(asked.name, asked.keys, asked.where, state, keyspace=asked.keyspace)
        self.cluster.queries.indexes[asked.name] = index

    async def _finish_indexes(self) -> None:
        for index in self.cluster.queries.indexes.values():
            if index.state == "building":
                index.state = "online"

    def _look(self, name: str) -> Any:
        cluster = self.cluster
        looks = {
            "count": lambda: (
                len(cluster.copies.documents)
                - sum(name.encode() in cluster.copies.documents for name in OWN)
            ),
            "requests": lambda: cluster.requests,
            "indexes": lambda: {
                name: {"state": index.state, "replicas": index.replicas}
                for name, index in cluster.queries.indexes.items()
            },
            "scans": lambda: [asdict(scan) for scan in cluster.queries.scans],
            "expiry_fields": lambda: cluster.expiry_fields,
            "logins": lambda: cluster.logins,
            "chain": lambda: cluster.copies.chain,
            "levels": lambda: cluster.copies.levels,
            "documents": lambda: {
                key.decode(): json.loads(value)
                for key, value in cluster.copies.documents.items()
            },
        }
        if name not in looks:
            raise web.HTTPNotFound
        return looks[name]()

    async def control(self, request: web.Request) -> web.Response:
        fields = await request.json() if request.can_read_body else {}
        return web.json_response(await self.command(request.match_info["name"], fields))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.couchbase_double", description=__doc__)
    parser.add_argument("--host", default=HOST, help="its name for clients")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--username", default="orderapp")
    parser.add_argument("--password", default="secret-of-the-double")
    parser.add_argument("--bucket", default="orders")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--replicas", type=int, default=0, help="of the bucket's documents")
    parser.add_argument(
        "--replication-seconds", type=float, default=0.0, help="until a replica has a write"
    )
    parser.add_argument(
        "--persist-seconds", type=float, default=0.0, help="until a write is on a node's disk"
    )
    parser.add_argument(
        "--fail-sets", action="append", default=[], metavar="STATUS:COUNT",
        help="answer the next COUNT writes with STATUS (-1: all)",
    )  # fmt: skip
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--tls", metavar="FILE", help="PEM with the certificate and its key")
    parser.add_argument("--collection", default="_default._default", metavar="SCOPE.NAME")
    parser.add_argument("--forever", action="store_true", help="do not end with the input")
    return parser.parse_args()


def _tls(path: str | None) -> ssl.SSLContext | None:
    if path is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


async def _until_input_ends() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


async def main() -> None:
    """Serve until the input ends: the double never outlives the test that started it."""
    options = _arguments()
    failures = [[name, int(n)] for name, _, n in (x.partition(":") for x in options.fail_sets)]
    cluster = Cluster(
        options.username, options.password, options.bucket,
        replicas=options.replicas, nodes=options.nodes,
    )  # fmt: skip
    cluster.nodes[0].port = options.port
    cluster.faults = Faults(fail_sets=failures, delay=options.delay)
    cluster.copies.replication_seconds = options.replication_seconds
    cluster.copies.persist_seconds = options.persist_seconds
    cluster.host = options.host
    cluster.tls = _tls(options.tls)
    scope, _, collection = options.collection.partition(".")
    cluster.collection = (scope, collection)
    double = Double(cluster)
    await double.start()
    app = web.Application()
    app.router.add_route("*", "/{name}", double.control)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, options.control_port)
    await site.start()
    control_port = runner.addresses[0][1]
    print(
        json.dumps(
            {"ports": [node.port for node in cluster.nodes], "control_port": control_port}
        ),
        flush=True,
    )
    await (asyncio.Event().wait() if options.forever else _until_input_ends())
    await double.stop()
    await runner.cleanup()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
