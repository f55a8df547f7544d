"""Sets Couchbase up for orderapp: cluster, bucket, collection, user, indexes.

It may run again at any time: each step looks by itself whether it is done, so that a set-up
that ended half-way is finished by the next run.

Only the standard library, and no password on a command line. The administrator's name and
password are in COUCHBASE_ADMIN_USERNAME and COUCHBASE_ADMIN_PASSWORD; the rest is what orderapp
itself is given. Ends with status 1 and one line when something is wrong.
"""

import base64
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

#: Management and query.
PORTS = (8091, 8093)
#: Seconds for the whole set-up, and for one request.
PATIENCE, REQUEST_SECONDS = 180.0, 20.0

#: Megabytes.
DATA_MEMORY, INDEX_MEMORY, BUCKET_MEMORY = 512, 256, 256

# Community Edition's role for applications; the finer ones (data_writer, query_select, …) are
# the Enterprise Edition's. It reaches this bucket's documents, queries and indexes only.
ROLE = "bucket_full_access[{}]"

# What orderapp would create itself when it first needs them.
INDEXES = {
    "orderapp_orders_by_time": '(created_at DESC, order_id DESC) WHERE type = "order"',
    "orderapp_orders_by_country": (
        '(country, created_at DESC, order_id DESC) WHERE type = "order"'
    ),
    "orderapp_alerts_by_time": '(created_at DESC, order_id DESC) WHERE type = "alert"',
    "orderapp_declined_by_time": (
        '(created_at DESC, order_id DESC) WHERE type = "payment" AND status = "DECLINED"'
    ),
    "orderapp_by_id": "(type, order_id)",
    "orderapp_counts": "(type, kafka_timestamp, country, status, amount)",
}

NAMES = (
    "COUCHBASE_HOST",
    "COUCHBASE_BUCKET",
    "COUCHBASE_USERNAME",
    "COUCHBASE_PASSWORD",
    "COUCHBASE_ADMIN_USERNAME",
    "COUCHBASE_ADMIN_PASSWORD",
)
#: The scope and the collection that every bucket has.
DEFAULT = "_default"
#: What a node has to run.
SERVICES = {"kv", "n1ql", "index"}
HOST = re.compile(r"(?:couchbase://)?([a-z0-9._-]+|\[[0-9a-f:.]+\])/?", re.IGNORECASE)


class SetupError(Exception):
    """The set-up can't succeed; the text is one line for the log."""


class NotReadyError(Exception):
    """Not there yet, or not ready: worth another try."""


class Couchbase:
    """The REST API of one node."""

    def __init__(self, environ: Mapping[str, str], ports: tuple[int, int] = PORTS) -> None:
        host, self.bucket, *access = (_needed(environ, name) for name in NAMES)
        match = HOST.fullmatch(host)
        if not match:
            raise SetupError(
                f"COUCHBASE_HOST={host!r}: the set-up takes one host, without TLS and port"
            )
        self.host = match[1]
        self.user, self.admin = (access[0], access[1]), (access[2], access[3])
        self.scope = environ.get("COUCHBASE_SCOPE") or DEFAULT
        self.collection = environ.get("COUCHBASE_COLLECTION") or DEFAULT
        self.ports = ports
        # Not by a proxy, whatever the environment says.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def set_up(self) -> None:
        """All of it."""
        self._set_up_cluster()
        self._set_up_index_storage()
        self._set_up_bucket()
        self._set_up_collection()
        self._set_up_user()
        for name, definition in INDEXES.items():
            self._make_index(name, definition)
        say("the indexes are there")

    def _set_up_cluster(self) -> None:
        status, text = self._get("/pools/default")
        if status in (401, 403):
            raise SetupError(
                "Couchbase does not accept COUCHBASE_ADMIN_USERNAME and _PASSWORD: they are "
                "not those that its volume was set up with (`docker compose down --volumes` "
                "begins anew)"
            )
        if status == 404:
            self._make_cluster()
            say("the cluster is made")
            return
        nodes = _json(text, "/pools/default").get("nodes", [])
        missing = SERVICES.difference(*(node.get("services", []) for node in nodes))
        if missing:
            raise SetupError(
                f"no node runs {', '.join(sorted(missing))}: the cluster was made by somebody "
                "else, and a node's services can't be changed"
            )

    def _make_cluster(self) -> None:
        """Each of these may be repeated until the last: from then on a password is needed."""
        name, password = self.admin
        steps: list[tuple[str, dict[str, object]]] = [
            ("/node/controller/setupServices", {"services": ",".join(sorted(SERVICES))}),
            ("/pools/default", {"memoryQuota": DATA_MEMORY, "indexMemoryQuota": INDEX_MEMORY}),
            ("/settings/web", {"username": name, "password": password, "port": "SAME"}),
        ]
        for path, form in steps:
            self._expect_ok("POST", path, form, signed=False)

    def _set_up_index_storage(self) -> None:
        path = "/settings/indexes"
        if not self._look(path).get("storageMode"):
            # The only storage that Community Edition has.
            self._expect_ok("POST", path, {"storageMode": "forestdb"})

    def _set_up_bucket(self) -> None:
        status, _ = self._get(self._bucket_path())
        if status == 404:
            memory = {"ramQuotaMB": BUCKET_MEMORY, "replicaNumber": 0}
            form = {"name": self.bucket, "bucketType": "couchbase", **memory}
            self._expect_ok("POST", "/pools/default/buckets", form)
            say(f"the bucket {self.bucket} is made")

    def _set_up_collection(self) -> None:
        if self.scope == self.collection == DEFAULT:
            return
        path = f"{self._bucket_path()}/scopes"
        scopes = {scope["name"]: scope for scope in self._look(path)["scopes"]}
        if self.scope not in scopes:
            self._expect_ok("POST", path, {"name": self.scope})
            say(f"the scope {self.scope} is made")
        collections = scopes.get(self.scope, {}).get("collections", [])
        if self.collection not in {collection["name"] for collection in collections}:
            path = f"{path}/{_quoted(self.scope)}/collections"
            self._expect_ok("POST", path, {"name": self.collection})
            say(f"the collection {self.scope}.{self.collection} is made")

    def _set_up_user(self) -> None:
        """Also one that exists: the password may be a new one."""
        name, password = self.user
        form = {"password": password, "roles": ROLE.format(self.bucket), "name": "orderapp"}
        self._expect_ok("PUT", f"/settings/rbac/users/local/{_quoted(name)}", form)
        say(f"the user {name} may use the bucket {self.bucket}")

    def _bucket_path(self) -> str:
        return f"/pools/default/buckets/{_quoted(self.bucket)}"

    def _make_index(self, name: str, definition: str) -> None:
        place = self._keyspace()
        statement = f"CREATE INDEX `{name}` IF NOT EXISTS ON {place} {definition}"
        status, text = self._request(
            "POST",
            "/query/service",
            {"statement": statement},
            port=self.ports[1],
        )
        if status == 401:
            raise NotReadyError("the query service does not know the administrator yet")
        try:
            errors = json.loads(text).get("errors", [])
        except ValueError:
            raise NotReadyError(f"the query service answers with {status}") from None
        # 12003, 12021: it has not seen the new bucket yet; others pass in the same way.
        if errors:
            raise NotReadyError(f"the query service says: {errors[0].get('msg')}")

    def _keyspace(self) -> str:
        # The server has accepted these names: none has a backquote.
        if self.scope == self.collection == DEFAULT:
            return f"`{self.bucket}`"
        return f"`{self.bucket}`.`{self.scope}`.`{self.collection}`"

    def _get(self, path: str) -> tuple[int, str]:
        status, text = self._request("GET", path)
        if status >= 500:
            raise NotReadyError(f"{path} answers with {status} {text[:200]}")
        return status, text

    def _look(self, path: str) -> dict[str, Any]:
        """What there is; 404 is an error."""
        status, text = self._get(path)
        if status >= 400:
            raise SetupError(f"{path} answers with {status} {' '.join(text.split())[:400]}")
        return _json(text, path)

    def _expect_ok(
        self, method: str, path: str, form: dict[str, object], *, signed: bool = True
    ) -> None:
        status, text = self._request(method, path, form, signed=signed)
        if status >= 500:
            raise NotReadyError(f"{path} answers with {status} {text[:200]}")
        if status >= 400:
            raise SetupError(f"{path} answers with {status} {' '.join(text.split())[:400]}")

    def _request(
        self,
        method: str,
        path: str,
        form: Mapping[str, object] | None = None,
        *,
        signed: bool = True,
        port: int | None = None,
    ) -> tuple[int, str]:
        url = f"http://{self.host}:{port or self.ports[0]}{path}"
        body = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data=body, method=method)
        if signed:
            token = base64.b64encode(":".join(self.admin).encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        try:
            with self._open(request, timeout=REQUEST_SECONDS) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotReadyError(f"{self.host}:{port or self.ports[0]}: {error}") from error


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise SetupError(f"{name} is not set")
    return value


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _json(text: str, path: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotReadyError(f"{path} answers with {text[:200]!r}")
    return found


def say(text: str) -> None:
    """One line in the log."""
    sys.stdout.write(f"couchbase-init: {text}\n")
    sys.stdout.flush()


def persist(work: Callable[[], None], patience: float, pause: float = 2.0) -> None:
    """Do `work` again until Couchbase is ready for it."""
    deadline = time.monotonic() + patience
    last = ""
    while True:
        try:
            return work()
        except NotReadyError as error:
            if time.monotonic() + pause > deadline:
                raise SetupError(f"gave up after {patience:g} s: {error}") from error
            if str(error) != last:
                last = str(error)
                say(f"waiting: {last}")
        time.sleep(pause)


def main() -> int:
    """Set everything up; the exit status."""
    try:
        persist(Couchbase(os.environ).set_up, PATIENCE)
    except SetupError as error:
        say(str(error))
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
