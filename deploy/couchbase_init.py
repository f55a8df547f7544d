"""Sets Couchbase up for orderapp: cluster, bucket, user, index. Runs once, and may run again.

Only the standard library, and no password on a command line. The administrator's name and
password are in COUCHBASE_ADMIN_USERNAME and COUCHBASE_ADMIN_PASSWORD; the rest is what orderapp
itself is given. Ends with status 1 and one line when something is wrong.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

#: Management and query.
PORTS = (8091, 8093)
#: Seconds for the whole set-up, and for one request.
PATIENCE, REQUEST_SECONDS = 180.0, 20.0

#: Megabytes.
DATA_MEMORY, INDEX_MEMORY, BUCKET_MEMORY = 512, 256, 256

# Community Edition's role for applications; the finer ones (data_writer, query_select, …) are
# the Enterprise Edition's. It reaches this bucket's documents, queries and indexes only.
ROLE = "bucket_full_access[{}]"

# What orderapp would create itself on its first start; it makes others when it needs them.
INDEX = (
    "CREATE INDEX `orderapp_orders_by_time` IF NOT EXISTS ON `{}` "
    '(created_at DESC, order_id DESC) WHERE type = "order"'
)


class SetupError(Exception):
    """The set-up can't succeed; the text is one line for the log."""


class NotReadyError(Exception):
    """Not there yet, or not ready: worth another try."""


class Couchbase:
    """The REST API of one node."""

    def __init__(self, environ: Mapping[str, str], ports: tuple[int, int] = PORTS) -> None:
        self.host = environ["COUCHBASE_HOST"]
        self.bucket = environ["COUCHBASE_BUCKET"]
        self.user = environ["COUCHBASE_USERNAME"], environ["COUCHBASE_PASSWORD"]
        self.admin = environ["COUCHBASE_ADMIN_USERNAME"], environ["COUCHBASE_ADMIN_PASSWORD"]
        self.ports = ports
        # Not by a proxy, whatever the environment says.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def set_up(self) -> None:
        """All of it; steps that are done already are left out."""
        if self._cluster_is_new():
            self._make_cluster()
            say("the cluster is made")
        if self._status("GET", f"/pools/default/buckets/{self.bucket}") == 404:
            memory = {"ramQuotaMB": BUCKET_MEMORY, "replicaNumber": 0}
            self._expect_ok(
                "POST",
                "/pools/default/buckets",
                {"name": self.bucket, "bucketType": "couchbase", **memory},
            )
            say(f"the bucket {self.bucket} is made")
        name, password = self.user
        self._expect_ok(
            "PUT",
            f"/settings/rbac/users/local/{urllib.parse.quote(name, safe='')}",
            {"password": password, "roles": ROLE.format(self.bucket), "name": "orderapp"},
        )
        say(f"the user {name} may use the bucket {self.bucket}")
        self._make_index()
        say("the index is there")

    def _cluster_is_new(self) -> bool:
        status = self._status("GET", "/pools/default")
        if status in (401, 403):
            raise SetupError(
                "Couchbase does not accept COUCHBASE_ADMIN_USERNAME and _PASSWORD: they are "
                "not those that its volume was set up with (`docker compose down --volumes` "
                "begins anew)"
            )
        return status == 404

    def _make_cluster(self) -> None:
        name, password = self.admin
        steps: list[tuple[str, dict[str, object]]] = [
            ("/node/controller/setupServices", {"services": "kv,n1ql,index"}),
            ("/pools/default", {"memoryQuota": DATA_MEMORY, "indexMemoryQuota": INDEX_MEMORY}),
            # The last of these: from here on a password is needed.
            ("/settings/web", {"username": name, "password": password, "port": "SAME"}),
        ]
        for path, form in steps:
            self._expect_ok("POST", path, form, signed=False)
        # The only storage that Community Edition has.
        self._expect_ok("POST", "/settings/indexes", {"storageMode": "forestdb"})

    def _make_index(self) -> None:
        status, text = self._request(
            "POST",
            "/query/service",
            {"statement": INDEX.format(self.bucket)},
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

    def _status(self, method: str, path: str) -> int:
        status, text = self._request(method, path)
        if status >= 500:
            raise NotReadyError(f"{path} answers with {status} {text[:200]}")
        return status

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
        except OSError as error:
            raise NotReadyError(f"{self.host}:{port or self.ports[0]}: {error}") from error


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
    except KeyError as error:
        say(f"{error.args[0]} is not set")
    except SetupError as error:
        say(str(error))
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
