"""Setting Couchbase up: what it is asked for, once, again and after half of it.

The server here answers as Couchbase's REST API does, as far as the script asks: it refuses what
a node refuses that has its cluster, or lacks it. That a real one understands the requests is
for `docker compose up` to show.
"""

import base64
import http.server
import json
import threading
import urllib.parse
from contextlib import suppress

import pytest

from deploy import couchbase_init
from deploy.couchbase_init import Couchbase, NotReadyError, SetupError, persist
from orderapp.store.couchbase.statements import INDEXES, create

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
        self.reply(*self.server.node.get(unquoted(self.path), self.signed()))

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        values = {key: value[0] for key, value in form.items()}
        node = self.server.node
        if node.dies_before == len(node.writes):
            return self.die()
        answer = node.write(self.command, unquoted(self.path), values, self.signed())
        if node.dies_after == len(node.writes):
            return self.die()
        return self.reply(*answer)

    do_PUT = do_POST  # noqa: N815  # its name is the protocol's

    def signed(self):
        header = self.headers.get("Authorization", "Basic ")
        return tuple(base64.b64decode(header[6:]).decode().split(":", 1))

    def die(self):
        """Cut the connection: the script gets no answer, as when it is killed itself."""
        self.close_connection = True

    def reply(self, status, body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def unquoted(path):
    """The parts of a path; a name that was not quoted would fall into several."""
    return [urllib.parse.unquote(part) for part in path.split("/")[1:]]


class Node:
    """A node without a cluster, until it gets one."""

    def __init__(self):
        self.admin = None
        self.buckets, self.users = {}, {}
        self.storage, self.services, self.memory = "", [], None
        self.statements = []
        self.busy = 0  # queries that find the bucket not there yet
        self.writes = []
        self.dies_before = self.dies_after = None  # so many writes

    def state(self):
        return (
            self.admin, self.buckets, self.users, self.storage, self.services, self.memory,
            set(self.statements),
        )  # fmt: skip

    def get(self, path, signed):
        if self.admin is None:
            return 404, b'"unknown pool"'
        if signed != self.admin:
            return 401, b""
        if path == ["pools", "default"]:
            return 200, json.dumps({"nodes": [{"services": self.services}]}).encode()
        if path == ["settings", "indexes"]:
            return 200, json.dumps({"storageMode": self.storage}).encode()
        match path:
            case ["pools", "default", "buckets", bucket, *rest] if bucket in self.buckets:
                if not rest:
                    return 200, b"{}"
                scopes = [
                    {"name": name, "collections": [{"name": c} for c in collections]}
                    for name, collections in self.buckets[bucket].items()
                ]
                return 200, json.dumps({"scopes": scopes}).encode()
        return 404, b'"Requested resource not found."'

    def write(self, method, path, form, signed):
        self.writes.append(f"{method} /{'/'.join(path)}")
        if self.admin is None:
            return self.write_unlocked(path, form)
        if signed != self.admin:
            return 401, b""
        match path:
            case ["node", "controller", "setupServices"]:
                return 400, b'["cannot change node services after cluster is provisioned"]'
            case ["settings", "indexes"]:
                self.storage = form["storageMode"]
            case ["pools", "default", "buckets"]:
                return self.write_bucket(form)
            case ["pools", "default", "buckets", bucket, "scopes", *rest]:
                return self.write_collection(self.buckets[bucket], rest, form["name"])
            case ["settings", "rbac", "users", "local", name]:
                self.users[name] = form
            case ["query", "service"]:
                return self.query(form["statement"])
            case _:
                return 404, b""
        return 200, b"{}"

    def query(self, statement):
        if self.busy or not self.storage:
            self.busy -= 1
            errors = [{"code": 12003, "msg": "Keyspace not found"}]
            return 404, json.dumps({"errors": errors}).encode()
        self.statements.append(statement)
        return 200, b"{}"

    def write_unlocked(self, path, form):
        match path:
            case ["node", "controller", "setupServices"]:
                self.services = form["services"].split(",")
            case ["pools", "default"]:
                self.memory = form
            case ["settings", "web"]:
                self.admin = form["username"], form["password"]
            case _:
                return 401, b""
        return 200, b"{}"

    def write_bucket(self, form):
        if int(form["ramQuotaMB"]) < 100:
            return 400, b'{"errors":{"ramQuotaMB":"RAM quota cannot be\\nless"}}'
        if form["name"] in self.buckets:
            return 400, b'{"errors":{"name":"Bucket with given name already exists"}}'
        self.buckets[form["name"]] = {"_default": ["_default"]}
        return 200, b"{}"

    def write_collection(self, scopes, rest, name):
        found = scopes if not rest else scopes[rest[0]]
        if name in found:
            return 400, b'{"errors":{"name":"already exists"}}'
        if rest:
            found.append(name)
        else:
            found[name] = []
        return 200, b"{}"


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def make(node):
    """Makes the script's object, as each run of it does."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    httpd.node = node
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    ports = (httpd.server_port, httpd.server_port)
    yield lambda **changed: Couchbase({**ENVIRON, **changed}, ports)
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def couchbase(make):
    return make()


def test_a_new_node_gets_all_of_it(node, couchbase):
    couchbase.set_up()

    assert node.admin == ("Administrator", "of the admin")
    assert node.storage == "forestdb"
    assert [*node.buckets] == ["orders"]
    assert node.users["orderapp"]["roles"] == "bucket_full_access[orders]"
    assert node.users["orderapp"]["password"] == "of the user"
    assert node.statements == created("`orders`")


def created(place):
    """The statements of all indexes that the program needs."""
    made = [create(index).format(place) for index in INDEXES]
    return [statement.replace(" ON ", " IF NOT EXISTS ON ", 1) for statement in made]


@pytest.mark.parametrize("scope", ["shop", "_default"])
def test_scope_and_collection_are_made_and_indexed(node, make, scope):
    environ = {"COUCHBASE_SCOPE": scope, "COUCHBASE_COLLECTION": "orders"}
    make(**environ).set_up()
    make(**environ).set_up()

    assert "orders" in node.buckets["orders"][scope]
    assert f" ON `orders`.`{scope}`.`orders` (" in node.statements[0]


WRITES = 9 + len(INDEXES)
MORE = {"COUCHBASE_SCOPE": "shop", "COUCHBASE_COLLECTION": "orders"}


@pytest.mark.parametrize("end", ["dies_before", "dies_after"])
@pytest.mark.parametrize("count", range(WRITES + 1))
def test_what_is_half_made_is_finished_by_the_next_run(node, make, end, count):
    setattr(node, end, count)
    if count < WRITES or end == "dies_after":
        with suppress(NotReadyError):
            make(**MORE).set_up()
    node.dies_before = node.dies_after = None
    make(**MORE).set_up()

    whole = Node()
    for path, form in WHOLE:
        assert whole.write("POST", path, form, whole.admin or ("",))[0] == 200
    assert node.state() == whole.state()


#: All writes of a run, to a node that has nothing.
WHOLE = [
    (["node", "controller", "setupServices"], {"services": "index,kv,n1ql"}),
    (["pools", "default"], {"memoryQuota": "512", "indexMemoryQuota": "256"}),
    (
        ["settings", "web"],
        {"username": "Administrator", "password": "of the admin", "port": "SAME"},
    ),
    (["settings", "indexes"], {"storageMode": "forestdb"}),
    (["pools", "default", "buckets"], {"name": "orders", "ramQuotaMB": "256"}),
    (["pools", "default", "buckets", "orders", "scopes"], {"name": "shop"}),
    (["pools", "default", "buckets", "orders", "scopes", "shop", "collections"],
     {"name": "orders"}),
    (
        ["settings", "rbac", "users", "local", "orderapp"],
        {"password": "of the user", "roles": "bucket_full_access[orders]", "name": "orderapp"},
    ),
    *(
        (["query", "service"], {"statement": statement})
        for statement in created("`orders`.`shop`.`orders`")
    ),
]  # fmt: skip


@pytest.mark.parametrize("name", ["a%2Fb", "50%", "a.b-c_d"])
def test_names_are_quoted_in_addresses(node, make, name):
    user = "us/er ?#"
    made = make(COUCHBASE_BUCKET=name, COUCHBASE_USERNAME=user, **MORE)
    made.set_up()
    made.set_up()

    assert [*node.buckets] == [name]
    assert [*node.users] == [user]


def test_a_cluster_that_lacks_a_service_is_one_line(node, couchbase):
    node.admin, node.services = ("Administrator", "of the admin"), ["kv"]
    with pytest.raises(SetupError, match="no node runs index, n1ql"):
        couchbase.set_up()


@pytest.mark.parametrize(
    "host", ["couchbases://db", "db1,db2", "db:8091", "http://db", "couchbase://a/b", "a b"]
)
def test_a_host_that_it_can_not_set_up_is_one_line(make, host):
    with pytest.raises(SetupError, match=r"one host, without TLS and port") as refused:
        make(COUCHBASE_HOST=host)
    assert repr(host) in str(refused.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "couchbase://127.0.0.1/", "COUCHBASE://localhost"]
)
def test_a_host_may_have_a_scheme(node, make, host):
    make(COUCHBASE_HOST=host).set_up()
    assert [*node.buckets] == ["orders"]


def test_a_second_run_makes_nothing_anew_but_takes_over_a_new_password(node, couchbase):
    couchbase.set_up()
    node.writes.clear()
    couchbase.user = ("orderapp", "changed")

    couchbase.set_up()

    queries = ["POST /query/service"] * len(INDEXES)
    assert node.writes == ["PUT /settings/rbac/users/local/orderapp", *queries]
    assert node.users["orderapp"]["password"] == "changed"


def test_it_waits_for_a_bucket_that_takes_its_time(node, couchbase):
    node.busy = 2
    persist(couchbase.set_up, patience=5, pause=0.01)
    assert len(node.statements) == len(INDEXES)


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
