"""Setting Couchbase up: what it is asked for, once and again, and what is said of a refusal.

The server here only answers like Couchbase's REST API where the script looks at the answer;
that a real one understands the requests is for `docker compose up` to show.
"""

import base64
import http.server
import json
import threading
import urllib.parse

import pytest

from deploy import couchbase_init
from deploy.couchbase_init import Couchbase, SetupError, persist

ENVIRON = {
    "COUCHBASE_HOST": "127.0.0.1",
    "COUCHBASE_BUCKET": "orders",
    "COUCHBASE_USERNAME": "orderapp",
    "COUCHBASE_PASSWORD": "of the user",
    "COUCHBASE_ADMIN_USERNAME": "Administrator",
    "COUCHBASE_ADMIN_PASSWORD": "of the admin",
}


class _Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(*self.server.node.get(self.path, self.signed()))

    def do_POST(self):
        form = urllib.parse.parse_qs(
            self.rfile.read(int(self.headers["Content-Length"])).decode()
        )
        values = {key: value[0] for key, value in form.items()}
        self.reply(*self.server.node.write(self.command, self.path, values, self.signed()))

    do_PUT = do_POST  # noqa: N815  # its name is the protocol's

    def signed(self):
        header = self.headers.get("Authorization", "Basic ")
        return tuple(base64.b64decode(header[6:]).decode().split(":", 1))

    def reply(self, status, body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Node:
    """A node without a cluster, until it gets one."""

    def __init__(self):
        self.admin = None
        self.buckets, self.users = {}, {}
        self.storage = None
        self.statements = []
        self.busy = 0  # queries that find the bucket not there yet
        self.writes = []

    def get(self, path, signed):
        if self.admin is None:
            return 404, b'"unknown pool"'
        if signed != self.admin:
            return 401, b""
        if path == "/pools/default":
            return 200, b"{}"
        return (200 if path.rpartition("/")[2] in self.buckets else 404), b"{}"

    def write(self, method, path, form, signed):
        self.writes.append(f"{method} {path}")
        if self.admin is not None and signed != self.admin:
            return 401, b""
        if path == "/settings/web":
            self.admin = form["username"], form["password"]
        elif path == "/settings/indexes":
            self.storage = form["storageMode"]
        elif path == "/pools/default/buckets":
            if int(form["ramQuotaMB"]) < 100:
                return 400, b'{"errors":{"ramQuotaMB":"RAM quota cannot be\\nless"}}'
            self.buckets[form["name"]] = form
        elif path.startswith("/settings/rbac/users/local/"):
            self.users[path.rpartition("/")[2]] = form
        elif path == "/query/service":
            if self.busy:
                self.busy -= 1
                errors = [{"code": 12003, "msg": "Keyspace not found"}]
                return 404, json.dumps({"errors": errors}).encode()
            self.statements.append(form["statement"])
        return 200, b"{}"


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def couchbase(node):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    httpd.node = node
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    yield Couchbase(ENVIRON, (httpd.server_port, httpd.server_port))
    httpd.shutdown()
    httpd.server_close()


def test_a_new_node_gets_all_of_it(node, couchbase):
    couchbase.set_up()

    assert node.admin == ("Administrator", "of the admin")
    assert node.storage == "forestdb"
    assert [*node.buckets] == ["orders"]
    assert node.users["orderapp"]["roles"] == "bucket_full_access[orders]"
    assert node.users["orderapp"]["password"] == "of the user"
    assert [s.partition(" WHERE")[0] for s in node.statements] == [
        "CREATE INDEX `orderapp_orders_by_time` IF NOT EXISTS ON `orders` "
        "(created_at DESC, order_id DESC)"
    ]


def test_a_second_run_makes_nothing_anew_but_takes_over_a_new_password(node, couchbase):
    couchbase.set_up()
    node.writes.clear()
    couchbase.user = ("orderapp", "changed")

    couchbase.set_up()

    assert node.writes == ["PUT /settings/rbac/users/local/orderapp", "POST /query/service"]
    assert node.users["orderapp"]["password"] == "changed"


def test_it_waits_for_a_bucket_that_takes_its_time(node, couchbase):
    node.busy = 2
    persist(couchbase.set_up, patience=5, pause=0.01)
    assert len(node.statements) == 1


def test_it_waits_for_a_node_that_is_not_up_and_then_says_so(capsys):
    absent = Couchbase(ENVIRON, (1, 1))
    with pytest.raises(SetupError, match=r"gave up after 0\.1 s: 127\.0\.0\.1:1: "):
        persist(absent.set_up, patience=0.1, pause=0.01)
    assert len(capsys.readouterr().out.splitlines()) == 1  # not one for each try


def test_another_administrator_is_one_line_with_the_way_out(node, couchbase):
    node.admin = ("Administrator", "of another volume")
    with pytest.raises(SetupError, match="docker compose down --volumes"):
        couchbase.set_up()


def test_a_refusal_is_one_line(node, couchbase, monkeypatch):
    monkeypatch.setattr(couchbase_init, "BUCKET_MEMORY", 50)
    with pytest.raises(SetupError) as refused:
        couchbase.set_up()
    assert "ramQuotaMB" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_variable_that_is_missing_is_named(monkeypatch, capsys):
    for name in ENVIRON:
        monkeypatch.delenv(name, raising=False)
    assert couchbase_init.main() == 1
    assert capsys.readouterr().out == "couchbase-init: COUCHBASE_HOST is not set\n"


def test_no_password_is_said(node, couchbase, capsys):
    couchbase.set_up()
    said = capsys.readouterr().out
    assert "of the admin" not in said
    assert "of the user" not in said
