"""Setting Couchbase up: what it is asked for, once, again and after half of it.

The server answers as Couchbase's REST API does, as far as the script asks. That a real one
understands the requests is for `docker compose up` to show.
"""

import subprocess
import sys
from contextlib import suppress

import pytest
import trustme
import yaml

from deploy import couchbase_init
from deploy.couchbase_init import Couchbase, NotReadyError, SetupError, persist
from orderapp.couchbase_settings import Couchbase as OfOrderapp
from orderapp.environ import Environ, SettingsError
from orderapp.store.couchbase.statements import INDEXES, create
from tests import test_couchbase_settings as of_settings
from tests.deploy import known
from tests.deploy.couchbase_rest import Node, serving

ENVIRON = {
    "COUCHBASE_HOST": "127.0.0.1",
    "COUCHBASE_BUCKET": "orders",
    "COUCHBASE_USERNAME": "orderapp",
    "COUCHBASE_PASSWORD": "of the user",
    "COUCHBASE_ADMIN_USERNAME": "Administrator",
    "COUCHBASE_ADMIN_PASSWORD": "of the admin",
}


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def make(node):
    """Makes the script's object, as each run of it does."""
    with serving(node) as port:
        yield lambda **changed: Couchbase({**ENVIRON, **changed}, {8091: port, 8093: port})


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


# TLS and several nodes


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def ca_file(ca, tmp_path):
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.mark.parametrize("setting", ["COUCHBASE_CA_FILE", "COUCHBASE_CA_PEM"])
def test_all_of_it_goes_by_tls(node, ca, ca_file, setting):
    given = {"COUCHBASE_CA_FILE": ca_file, "COUCHBASE_CA_PEM": ca.cert_pem.bytes().decode()}
    environ = {**ENVIRON, "COUCHBASE_HOST": "couchbases://localhost", setting: given[setting]}
    with serving(node, ca.issue_cert("localhost")) as port:
        Couchbase(environ, {8091: port, 8093: port}).set_up()

    assert node.statements == created("`orders`")


def test_with_tls_the_ports_are_those_for_it(ca_file):
    for host, ports in (("db", (8091, 8093)), ("couchbases://db:11207", (18091, 18093))):
        rest = Couchbase({**ENVIRON, "COUCHBASE_HOST": host})._rest
        assert tuple(rest._ports.values()) == ports
        assert (rest._scheme, rest._hosts) == ("https" if ports[0] > 9000 else "http", ["db"])


@pytest.mark.parametrize(
    ("issuer", "name", "said"),
    [
        ("other", "localhost", "the certificate is of an unknown CA"),
        ("own", "db.example.com", "the certificate is not for localhost"),
    ],
)
def test_a_wrong_certificate_ends_it_and_gets_no_password(
    node, ca, ca_file, issuer, name, said
):
    issuer = ca if issuer == "own" else trustme.CA()
    host = {"COUCHBASE_HOST": "localhost", "COUCHBASE_CA_FILE": ca_file}
    with serving(node, issuer.issue_cert(name)) as port:
        absent = Couchbase({**ENVIRON, **host}, {8091: port})
        with pytest.raises(SetupError, match=f"^localhost:{port}: {said}"):
            persist(absent.set_up, patience=5, pause=0.01)
    assert node.writes == []


def test_the_next_node_is_asked_when_one_is_away(node):
    node.admin, node.services, node.count = (
        ("Administrator", "of the admin"),
        ["kv", "n1ql", "index"],
        3,
    )
    # Nothing listens at the first two.
    with serving(node, address=("127.0.0.4", 0)) as port:
        environ = {**ENVIRON, "COUCHBASE_HOST": "127.0.0.2,127.0.0.3:12000,127.0.0.4"}
        several = Couchbase(environ, {8091: port, 8093: port})
        several.set_up()

        assert several._rest._hosts[0] == "127.0.0.4"  # the rest asks it at once
    assert node.statements == created("`orders`")
    assert node.replicas == "1"
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.4:\d+: .*; 127\.0\.0\.2:\d+: "):
        several.set_up()


def test_several_nodes_without_a_cluster_are_not_made_into_several_clusters(node, make):
    with pytest.raises(SetupError, match="makes a cluster of one node only; join them"):
        make(COUCHBASE_HOST="127.0.0.1,127.0.0.2").set_up()
    assert node.writes == []


# Its settings are orderapp's: the tables of their own tests are the ones here


def table(test):
    """The rows of a test that has one parametrization."""
    (mark,) = test.pytestmark
    return [row if isinstance(row, tuple) else (row,) for row in mark.args[1]]


def as_orderapp(environ):
    """What orderapp makes of these: hosts and TLS, or a line."""
    try:
        found = OfOrderapp.from_env(Environ(environ))
    except SettingsError as error:
        return str(error)
    return [name for name, _ in found.hosts], found.tls, found.scope, found.collection


def as_set_up(environ):
    try:
        found = couchbase_init.couchbase_access.read(environ)
    except SetupError as error:
        return str(error)
    hosts = [host.strip("[]") for host in found.hosts]
    return hosts, found.tls is not None, found.scope, found.collection


GOOD_HOSTS = [row[0] for row in table(of_settings.test_the_address_says_whether_there_is_tls)]
BAD_HOSTS = [
    row[0]
    for row in table(of_settings.test_an_address_that_can_not_work_is_refused_with_a_hint)
]
SAME = [
    *({"HOST": host} for host in GOOD_HOSTS if "cloud" not in host.lower()),
    *({"HOST": host} for host in BAD_HOSTS),
    *({name: ""} for name in ("USERNAME", "PASSWORD", "BUCKET")),
    *(
        {"BUCKET": row[0]}
        for row in table(of_settings.test_a_name_that_no_bucket_can_have_is_refused)
    ),
    *(
        {"SCOPE": row[0], "COLLECTION": row[1]}
        for row in table(of_settings.test_scope_and_collection_are_taken)
    ),
    *(
        {"SCOPE": "shop", "COLLECTION": "orders", row[0]: row[1]}
        for row in table(of_settings.test_a_name_that_no_collection_can_have_is_refused)
    ),
    {"SCOPE": "shop"},
    {"SCOPE": "shop", "COLLECTION": "_default"},
    {"CA_FILE": "/nowhere"},
    {"CA_FILE": "/"},
    {"CA_FILE": "/dev/null"},
    {"CA_PEM": "none"},
    {"CA_PEM": "é"},
    {"CA_PEM": "none", "CA_FILE": "/nowhere"},
    {"CA_PEM": "none", "HOST": "couchbase://db"},
    {"CA_FILE": "/nowhere", "HOST": "couchbase://db"},
    {"HOST": "x" * 200 + "!"},
]


@pytest.mark.parametrize("changed", SAME, ids=str)
def test_settings_mean_and_say_the_same_as_in_orderapp(changed):
    changes = {f"COUCHBASE_{name}": value for name, value in changed.items()}
    environ = {**ENVIRON, **changes}
    assert as_set_up(environ) == as_orderapp(environ)


@pytest.mark.parametrize("host", [host for host in GOOD_HOSTS if "cloud" in host.lower()])
def test_capella_is_not_set_up_from_here(make, host):
    with pytest.raises(SetupError, match="Capella's is set up on its web page"):
        make(COUCHBASE_HOST=host)


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
    absent = Couchbase(ENVIRON, {8091: 1})
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


def test_it_runs_where_orderapp_is_not_installed():
    """As Compose runs it."""
    command = yaml.safe_load(known.read("docker-compose.yml"))["services"]["couchbase-init"]
    python, options, script = command["entrypoint"]
    assert python == "python"
    (mount,) = command["volumes"]
    source, target, mode = mount.split(":")
    assert mode == "ro"
    script = known.ROOT / source / script.removeprefix(f"{target}/")
    ran = subprocess.run(
        [sys.executable, options, script],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout == "couchbase-init: COUCHBASE_HOST is not set\n"


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
