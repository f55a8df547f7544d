"""Sets Couchbase up for orderapp: cluster, bucket, collection, user, indexes.

It may run again at any time: each step looks by itself whether it is done, so that a set-up
that ended half-way is finished by the next run.

Only the standard library and the files beside it, and no password on a command line. The
administrator's name and password are in COUCHBASE_ADMIN_USERNAME and COUCHBASE_ADMIN_PASSWORD;
the rest is what orderapp itself is given, TLS and several nodes too. A port in COUCHBASE_HOST
is that for documents; the set-up asks those for management and queries, 8091 and 8093, or 18091
and 18093 with TLS. Ends with status 1 and one line when something is wrong.
"""

import json
import os
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

# `python -I` leaves it out.
sys.path.insert(0, str(Path(__file__).parent))

import couchbase_access
from couchbase_access import DEFAULT, SetupError
from couchbase_rest import QUERY, NotReadyError, Rest, parsed

#: Seconds for the whole set-up.
PATIENCE = 180.0

#: Megabytes.
DATA_MEMORY, INDEX_MEMORY, BUCKET_MEMORY = 512, 256, 256

# Community Edition's role for applications; the finer ones (data_writer, query_select, …) are
# the Enterprise Edition's. It reaches this bucket's documents, queries and indexes only.
ROLE = "bucket_full_access[{}]"

# The order id, and the type, of documents whose ids are orderapp's.
OWN_ORDER = "CASE META().id WHEN TO_STRING(order_id) THEN order_id END"
OWN_ALERT = (
    'CASE META().id WHEN "alert::" || TO_STRING(order_id) THEN order_id '
    'WHEN "alert::" || TO_STRING(order_id) || "::" || reason THEN order_id END'
)
OWN_PAYMENT = 'CASE META().id WHEN "payment::" || TO_STRING(order_id) THEN order_id END'
OWN_TYPE = (
    'CASE META().id WHEN CASE type WHEN "order" THEN TO_STRING(order_id) '
    'ELSE type || "::" || TO_STRING(order_id) END THEN type '
    'WHEN type || "::" || TO_STRING(order_id) || "::" || reason THEN type ELSE MISSING END'
)
# What orderapp would create itself when it first needs them.
INDEXES = {
    "orderapp_orders": f'(created_at DESC, {OWN_ORDER} DESC) WHERE type = "order"',
    "orderapp_countries": f'(country, created_at DESC, {OWN_ORDER} DESC) WHERE type = "order"',
    "orderapp_customers": (
        f'(customer_id, created_at DESC, {OWN_ORDER} DESC) WHERE type = "order"'
    ),
    "orderapp_traces": f'(trace_id, created_at DESC, {OWN_ORDER} DESC) WHERE type = "order"',
    "orderapp_alerts": f'(created_at DESC, {OWN_ALERT} DESC) WHERE type = "alert"',
    "orderapp_declined": (
        f'(created_at DESC, {OWN_PAYMENT} DESC) WHERE type = "payment" AND status = "DECLINED"'
    ),
    "orderapp_ids": f"({OWN_TYPE}, order_id)",
    "orderapp_sums": f"({OWN_TYPE}, kafka_timestamp, country, status, amount)",
}

#: What a node has to run.
SERVICES = {"kv", "n1ql", "index"}


class Couchbase:
    """What is to be there."""

    def __init__(
        self, environ: Mapping[str, str], ports: Mapping[int, int] | None = None
    ) -> None:
        access = couchbase_access.read(environ)
        self.user, self.admin = access.user, access.admin
        self.bucket, self.scope = access.bucket, access.scope
        self.collection = access.collection
        self._has_several_hosts = len(access.hosts) > 1
        self._rest = Rest(access, ports)

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
        status, text = self._rest.get("/pools/default")
        if status in (401, 403):
            raise SetupError(
                "Couchbase does not accept COUCHBASE_ADMIN_USERNAME and _PASSWORD: they are "
                "not those that its volume was set up with (`docker compose down --volumes` "
                "begins anew)"
            )
        if status == 404:
            if self._has_several_hosts:
                raise SetupError(
                    "COUCHBASE_HOST names several nodes, and one of them has no cluster: the "
                    "set-up makes a cluster of one node only; join them to one first"
                )
            self._make_cluster()
            say("the cluster is made")
            return
        nodes = parsed(text, "/pools/default").get("nodes", [])
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
            self._rest.expect_ok("POST", path, form, signed=False)

    def _set_up_index_storage(self) -> None:
        path = "/settings/indexes"
        if not self._rest.look(path).get("storageMode"):
            # The only storage that Community Edition has.
            self._rest.expect_ok("POST", path, {"storageMode": "forestdb"})

    def _set_up_bucket(self) -> None:
        status, _ = self._rest.get(self._bucket_path())
        if status == 404:
            # A second copy where there is a second node for it.
            nodes = self._rest.look("/pools/default")["nodes"]
            spare = sum("kv" in node.get("services", []) for node in nodes) - 1
            memory = {"ramQuotaMB": BUCKET_MEMORY, "replicaNumber": min(spare, 1)}
            form = {"name": self.bucket, "bucketType": "couchbase", **memory}
            self._rest.expect_ok("POST", "/pools/default/buckets", form)
            say(f"the bucket {self.bucket} is made")

    def _set_up_collection(self) -> None:
        if self.scope == self.collection == DEFAULT:
            return
        path = f"{self._bucket_path()}/scopes"
        scopes = {scope["name"]: scope for scope in self._rest.look(path)["scopes"]}
        if self.scope not in scopes:
            self._rest.expect_ok("POST", path, {"name": self.scope})
            say(f"the scope {self.scope} is made")
        collections = scopes.get(self.scope, {}).get("collections", [])
        if self.collection not in {collection["name"] for collection in collections}:
            path = f"{path}/{_quoted(self.scope)}/collections"
            self._rest.expect_ok("POST", path, {"name": self.collection})
            say(f"the collection {self.scope}.{self.collection} is made")

    def _set_up_user(self) -> None:
        """Also one that exists: the password may be a new one."""
        name, password = self.user
        form = {"password": password, "roles": ROLE.format(self.bucket), "name": "orderapp"}
        self._rest.expect_ok("PUT", f"/settings/rbac/users/local/{_quoted(name)}", form)
        say(f"the user {name} may use the bucket {self.bucket}")

    def _bucket_path(self) -> str:
        return f"/pools/default/buckets/{_quoted(self.bucket)}"

    def _make_index(self, name: str, definition: str) -> None:
        place = self._keyspace()
        statement = f"CREATE INDEX `{name}` IF NOT EXISTS ON {place} {definition}"
        status, text = self._rest.request(
            "POST",
            "/query/service",
            {"statement": statement},
            port=QUERY,
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


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


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
