"""Couchbase's settings: which address means what, and one line for each that is wrong."""

from pathlib import Path

import pytest
import trustme

from orderapp.couchbase_settings import Couchbase
from orderapp.environ import Environ, SettingsError

ACCESS = {
    "COUCHBASE_USERNAME": "app",
    "COUCHBASE_PASSWORD": "hush-hush",
    "COUCHBASE_BUCKET": "orders",
}


def settings(**environ):
    names = {f"COUCHBASE_{name}": value for name, value in environ.items()}
    return Couchbase.from_env(Environ({**ACCESS, **names}))


def refusal(**environ):
    """The one line that these end the start with."""
    with pytest.raises(SettingsError) as refused:
        settings(**environ)
    text = str(refused.value)
    assert "\n" not in text
    assert "hush" not in text
    return text


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


@pytest.mark.parametrize(
    ("host", "connection_string"),
    [
        ("db", "couchbase://db"),
        ("db.example.com", "couchbase://db.example.com"),
        ("db1, db2:11210", "couchbase://db1,db2:11210"),
        ("couchbase://db", "couchbase://db"),
        ("couchbase://db1,db2:12000", "couchbase://db1,db2:12000"),
        ("couchbase://db1,couchbase://db2/", "couchbase://db1,db2"),
        ("couchbases://db.example.com", "couchbases://db.example.com"),
        ("couchbases://db.example.com:11207", "couchbases://db.example.com:11207"),
        ("couchbases://db1,db2", "couchbases://db1,db2"),
        ("db1,couchbases://db2", "couchbases://db1,db2"),
        ("COUCHBASES://DB.Example.com./", "couchbases://db.example.com"),
        ("db.:11210", "couchbase://db:11210"),
        ("[::1]", "couchbase://[::1]"),
        ("couchbases://[2001:DB8::1]:12345,db", "couchbases://[2001:db8::1]:12345,db"),
        ("cb.abc.cloud.couchbase.com", "couchbases://cb.abc.cloud.couchbase.com"),
        ("CB.abc.Cloud.Couchbase.COM.", "couchbases://cb.abc.cloud.couchbase.com"),
        ("couchbases://cb.abc.cloud.couchbase.com/", "couchbases://cb.abc.cloud.couchbase.com"),
        ("cb.abc.cloud.couchbase.com:11207", "couchbases://cb.abc.cloud.couchbase.com:11207"),
    ],
)
def test_the_address_says_whether_there_is_tls(host, connection_string):
    assert settings(HOST=host).connection_string == connection_string


def test_nothing_is_set_without_a_host():
    assert Couchbase.from_env(Environ({**ACCESS, "COUCHBASE_CA_FILE": "/nowhere"})) is None


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("db", [("db", 11210)]),
        ("couchbases://db,db2:1", [("db", 11207), ("db2", 1)]),
        ("[::1],[::2]:5", [("::1", 11210), ("::2", 5)]),
    ],
)
def test_hosts_have_their_ports(host, hosts):
    assert settings(HOST=host).hosts == hosts


def test_a_ca_file_means_tls(ca_file):
    assert settings(HOST="db", CA_FILE=ca_file).connection_string == "couchbases://db"
    assert settings(HOST="couchbases://db", CA_FILE=ca_file).ca_file == ca_file


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("http://db:8091", "no other scheme"),
        ("https://db", "no other scheme"),
        ("couchbase://db1,couchbases://db2", "either couchbase:// or couchbases://"),
        ("couchbase://cb.abc.cloud.couchbase.com", "Capella has TLS only"),
        ("db:8091", "8091 is a management port: leave it out (that for documents is 11210)"),
        ("couchbases://db:18091", "18091 is a management port: leave it out (that for docum"),
        ("db:18091", "that for documents is 11207"),
        ("db:8093", "8093 is a port for HTTP"),
        ("couchbases://db:18093", "18093 is a port for HTTP"),
        ("db1,db2:11207", "11207 is the port for TLS: begin with couchbases://"),
        ("couchbase://db:11207", "11207 is the port for TLS"),
        ("couchbases://db:11210", "11210 is the port without TLS"),
        ("cb.abc.cloud.couchbase.com:11210", "11210 is the port without TLS"),
        ("couchbases://db?tls_verify=none&password=hush", "options behind a ? are not taken"),
        ("couchbases://me:hush@db", "COUCHBASE_USERNAME"),
        ("couchbase://db/orders", "the bucket is COUCHBASE_BUCKET"),
        ("db:", "ports from 1 to 65535"),
        ("db:65536", "ports from 1 to 65535"),
        ("db,,db2", "host[:port]"),
        ("couchbase://", "host[:port]"),
        (".", "host[:port]"),
        ("::1", "host[:port]"),
        ("[::1", "host[:port]"),
        ("[:::]", "host[:port]"),
        ("[db]", "host[:port]"),
        ("two words", "host[:port]"),
    ],
)
def test_an_address_that_can_not_work_is_refused_with_a_hint(host, hint):
    text = refusal(HOST=host)

    assert text.startswith("COUCHBASE_HOST='")
    assert hint in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("", "no certificate in PEM"),
        ("no PEM at all\n", "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
    ],
    ids=str,
)
def test_a_file_without_certificates_is_refused(tmp_path, content, reason):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    text = refusal(HOST="couchbases://db", CA_FILE=str(path))

    assert text.startswith(f"COUCHBASE_CA_FILE='{path}' is not allowed: ")
    assert reason in text


def test_a_directory_is_no_ca_file(tmp_path):
    assert "Is a directory" in refusal(HOST="db", CA_FILE=str(tmp_path))


def test_a_ca_file_and_an_address_without_tls_contradict(ca_file):
    text = refusal(HOST="couchbase://db", CA_FILE=ca_file)

    assert text.startswith("COUCHBASE_CA_FILE is set, but COUCHBASE_HOST begins with ")


def test_the_text_of_a_ca_is_as_good_as_its_file(ca_file):
    text = Path(ca_file).read_text()
    found = settings(HOST="db", CA_PEM=text)

    assert found.connection_string == "couchbases://db"
    assert found.ca_pem == text.strip()
    assert found.has_own_ca
    assert "BEGIN" not in repr(found)
    assert refusal(HOST="couchbase://db", CA_PEM=text).startswith(
        "COUCHBASE_CA_PEM is set, but"
    )
    assert "set one of them" in refusal(HOST="db", CA_PEM=text, CA_FILE=ca_file)


@pytest.mark.parametrize(
    "text",
    ["/etc/ca.pem", "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----", "hush é"],
)
def test_a_text_without_certificates_is_refused_and_not_shown(text):
    assert refusal(HOST="db", CA_PEM=text) == (
        "COUCHBASE_CA_PEM is not allowed: the text of certificates in PEM, all of its lines"
    )


@pytest.mark.parametrize("name", ["USERNAME", "PASSWORD", "BUCKET"])
def test_access_is_set_together_with_the_host(name):
    text = refusal(HOST="db", **{name: ""})

    assert text.startswith(f"COUCHBASE_{name} is not set, but COUCHBASE_HOST is")


@pytest.mark.parametrize("bucket", ["two words", "or`ders", ".orders", "a" * 101, "b/c"])
def test_a_name_that_no_bucket_can_have_is_refused(bucket):
    assert refusal(HOST="db", BUCKET=bucket).startswith("COUCHBASE_BUCKET='")


@pytest.mark.parametrize(
    ("scope", "collection"),
    [("", ""), ("shop", "orders"), ("_default", "orders"), ("", "_default"), ("a%_-", "1")],
)
def test_scope_and_collection_are_taken(scope, collection):
    found = settings(HOST="db", SCOPE=scope, COLLECTION=collection)

    assert (found.scope, found.collection) == (scope or "_default", collection or "_default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCOPE", "_system"),
        ("SCOPE", "%a"),
        ("COLLECTION", "or`ders"),
        ("COLLECTION", "a.b"),
        ("COLLECTION", "a" * 252),
    ],
)
def test_a_name_that_no_collection_can_have_is_refused(name, value):
    text = refusal(HOST="db", **{"SCOPE": "shop", "COLLECTION": "orders", name: value})

    assert text.startswith(f"COUCHBASE_{name}='")


@pytest.mark.parametrize("collection", ["", "_default"])
def test_a_scope_of_ones_own_needs_a_collection(collection):
    text = refusal(HOST="db", SCOPE="shop", COLLECTION=collection)

    assert text.startswith("COUCHBASE_COLLECTION is not set, but COUCHBASE_SCOPE is")


@pytest.mark.parametrize(("value", "days"), [("", None), ("1", 1), ("18000", 18_000)])
def test_expiry_is_in_days(value, days):
    assert settings(HOST="db", EXPIRY_DAYS=value).expiry_days == days


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "18001", "never"])
def test_an_expiry_that_couchbase_can_not_have_is_refused(value):
    text = refusal(HOST="db", EXPIRY_DAYS=value)

    assert text == (
        f"COUCHBASE_EXPIRY_DAYS={value!r} is not allowed: a whole number from 1 to 18000"
    )


@pytest.mark.parametrize(
    ("host", "is_readable"),
    [
        ("couchbases://db", False),
        ("localhost", False),
        ("127.0.0.1:12345,[::1]", False),
        ("127.8.0.1", False),
        ("couchbase", True),
        ("127.0.0.1,db", True),
        ("10.0.0.1", True),
        ("localhost.example.com", True),
    ],
)
def test_without_tls_a_network_can_read_the_password(host, is_readable):
    assert settings(HOST=host).is_readable == is_readable
