"""What is wrong with an address, a certificate or an account is said in one line."""

import asyncio
import datetime
import socket
import ssl
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from orderapp.store import (
    STATUSES,
    OrderQuery,
    StoreError,
    StoreRejected,
    StoreUnavailable,
)
from orderapp.store.couchbase import CouchbaseStore, connect, look
from orderapp.store.documents import KINDS
from tests.couchbase_double import couchbase_double
from tests.ports import free_port
from tests.store.examples import alert, dead_letter, order, payment, shadow
from tests.ticks import ticking

HERE = ("127.0.0.1", "localhost")
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A CA's certificate, that of another one, and certificates with their keys."""
    directory, ca, now = tmp_path_factory.mktemp("pem"), trustme.CA(), datetime.datetime.now()
    past = {"not_before": now - 9 * DAY, "not_after": now - 2 * DAY}
    future = {"not_before": now + 2 * DAY, "not_after": now + 9 * DAY}
    pem = {
        "ca": ca.cert_pem,
        "other-ca": trustme.CA().cert_pem,
        "right": ca.issue_cert(*HERE).private_key_and_cert_chain_pem,
        "wrong-name": ca.issue_cert("db.example.com").private_key_and_cert_chain_pem,
        "expired": ca.issue_cert(*HERE, **past).private_key_and_cert_chain_pem,
        "early": ca.issue_cert(*HERE, **future).private_key_and_cert_chain_pem,
    }
    for name, blob in pem.items():
        blob.write_to_path(directory / name)
    return {name: str(directory / name) for name in pem}


@pytest.fixture(scope="module")
def tls(files):
    with couchbase_double("--tls", files["right"]) as double:
        yield double


@pytest.fixture
def settings(tls, files):
    """How the double with TLS is reached."""
    return replace(tls.settings, tls=True, ca_file=files["ca"])


@contextmanager
def server(answer, certificate=None):
    """Something that is no Couchbase: `answer` gets each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_ones = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                    open_ones.append(connection)
                    if certificate is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                        open_ones.append(connection)
                    answer(connection)
                except OSError:
                    if listener.fileno() < 0:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for connection in open_ones:
        connection.close()
    thread.join(60)


def http_answers(connection):
    """Only to what ends like a request of HTTP: that is how a management port is."""
    connection.settimeout(60)
    if connection.recv(4096).endswith(b"\r\n\r\n"):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def silence(connection):
    pass


async def opened(settings):
    """Open, write, ask and close."""
    store = CouchbaseStore(settings)
    try:
        await store.open()
        await store.upsert([order(1)])
        assert [story.order.order_id for story in await store.latest(10)] == [1]
    finally:
        await store.close()


async def refusal(settings, kind=StoreRejected):
    start = time.monotonic()
    with pytest.raises(StoreError) as refused:
        await opened(settings)
    text = str(refused.value)
    assert isinstance(refused.value, kind), text
    assert text.startswith(f"{settings.connection_string}")
    assert "\n" not in text
    assert settings.password not in text
    # Far from the minutes in which the SDK would go on trying.
    assert time.monotonic() - start < 60
    return text


# TLS


async def test_all_goes_by_tls(tls, settings):
    await opened(settings)

    assert tls.count() == 1
    assert tls.requests()["query"] >= 2
    # The password itself, as a server needs it that asks LDAP.
    assert set(tls.logins()) == {"PLAIN"}


def by_its_text(settings, ca_file):
    return replace(settings, ca_file=None, ca_pem=Path(ca_file).read_text())


async def test_a_ca_may_be_a_text(tls, files, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    by_text = by_its_text(settings, files["ca"])
    store = CouchbaseStore(by_text)
    await store.open()
    assert [*tmp_path.iterdir()] == []  # it was needed only once

    tls.stop()
    tls.start()  # the SDK connects anew, by itself
    found = []
    async with asyncio.timeout(60):
        while not found:
            with suppress(StoreUnavailable):  # by a connection that was cut
                await store.upsert([order(1)])
                found = await store.latest(10)
    assert len(found) == 1
    await store.close()

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "COUCHBASE_CA_PEM needs a directory" in await refusal(by_text)


async def test_the_text_of_another_ca_is_refused(files, settings):
    text = await refusal(by_its_text(settings, files["other-ca"]))

    assert "the certificate is of an unknown CA" in text


@pytest.mark.parametrize(
    ("certificate", "ca", "reason"),
    [
        ("wrong-name", "ca", "the certificate is not for 127.0.0.1"),
        ("expired", "ca", "the certificate has expired"),
        ("early", "ca", "the certificate is not valid yet"),
        ("right", "other-ca", "COUCHBASE_CA_FILE has to name"),
        ("right", None, "COUCHBASE_CA_FILE has to name"),
    ],
)
async def test_a_certificate_that_is_not_right_is_told_nothing(
    files, settings, certificate, ca, reason
):
    heard = []
    with server(
        lambda connection: heard.append(connection.recv(1)), files[certificate]
    ) as host:
        text = await refusal(replace(settings, host=host, ca_file=ca and files[ca]))

    assert reason in text
    assert heard == []


async def test_a_wrong_password_by_tls_is_said(settings):
    text = await refusal(replace(settings, password="wrong"))

    assert "check COUCHBASE_USERNAME and COUCHBASE_PASSWORD" in text


# Accounts of LDAP: the server has to see the password


@pytest.fixture
def only_plain(double, tls):
    for one in (double, tls):
        one.inject(mechanisms="PLAIN")
    yield
    tls.heal()


async def test_an_account_of_ldap_gets_in_by_tls(only_plain, settings):
    await opened(settings)


async def test_a_password_is_never_sent_in_plain_text(only_plain, double, monkeypatch):
    before = len(double.logins())
    text = await refusal(double.settings)
    assert "LDAP" in text
    assert "couchbases://" in text

    # Nor by the SDK, when a server says so only later.
    monkeypatch.setattr(connect, "look", lambda settings: None)
    text = await refusal(double.settings)
    assert "COUCHBASE_PASSWORD" in text
    assert "PLAIN" not in double.logins()[before:]


# The wrong door


async def test_a_port_with_tls_is_told_from_one_without(settings):
    text = await refusal(replace(settings, tls=False, ca_file=None))

    assert "wants TLS: begin COUCHBASE_HOST with couchbases://" in text


async def test_a_port_without_tls_is_told_from_one_with_it(double, files):
    text = await refusal(replace(double.settings, tls=True, ca_file=files["ca"]))

    assert "answers without TLS" in text


@pytest.mark.parametrize("tls", [False, True])
async def test_a_management_port_is_told(double, files, tls):
    with server(http_answers, files["right"] if tls else None) as host:
        settings = replace(double.settings, host=host, tls=tls, ca_file=tls and files["ca"])
        text = await refusal(settings)

    assert "speaks HTTP, as the management port does" in text
    assert ("11207" if tls else "11210") in text


async def test_tls_to_a_management_port_without_it_is_told(double, files):
    with server(http_answers) as host:
        settings = replace(double.settings, host=host, tls=True, ca_file=files["ca"])
        text = await refusal(settings)

    assert "speaks HTTP" in text


# What may get better by itself


async def test_a_closed_port_is_said_at_once(double):
    settings = replace(double.settings, host=f"127.0.0.1:{free_port()}")
    text, ticks = await ticking(refusal(settings, StoreUnavailable))

    assert "is closed: Couchbase is not up yet, or listens on another port" in text
    assert ticks < 100


@pytest.mark.parametrize("tls", [False, True])
async def test_silence_is_said(double, files, tls, monkeypatch):
    monkeypatch.setattr(look, "LIMIT", 0.5)
    with server(silence) as host:
        settings = replace(double.settings, host=host, tls=tls, ca_file=tls and files["ca"])
        text = await refusal(settings, StoreUnavailable)

    assert "takes connections and answers none" in text


async def test_a_port_behind_a_firewall_is_said(double, monkeypatch):
    monkeypatch.setattr(look, "LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # A queue that is full drops what comes, as a firewall does.
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        host = f"127.0.0.1:{full.getsockname()[1]}"
        text = await refusal(replace(double.settings, host=host), StoreUnavailable)
        for one in waiting:
            one.close()

    assert "does not answer, as behind a firewall" in text


async def test_an_unknown_host_is_said(double):
    settings = replace(double.settings, host="nowhere.invalid:11210")
    text = await refusal(settings, StoreUnavailable)

    assert "nowhere.invalid is no host that DNS knows" in text


async def test_a_host_that_only_srv_records_may_know_is_left_to_the_sdk(double, monkeypatch):
    settings = replace(double.settings, host="nowhere.invalid")
    text = await refusal(settings, StoreUnavailable)

    assert "no host that DNS knows" in text
    assert "Capella has to allow this machine's address" in text


@pytest.mark.parametrize(
    ("host", "asked"), [("db1", True), ("db1:11210", False), ("db1,db2", False)]
)
def test_a_host_with_a_port_is_not_looked_up_as_srv(double, host, asked):
    # Where DNS is silent, the SDK would not go on to the host.
    options = connect._options(replace(double.settings, host=host), None)
    assert options["enable_dns_srv"] is asked


async def test_one_host_of_several_is_enough(double):
    settings = replace(double.settings, host=f"127.0.0.1:{free_port()},{double.host}")
    await opened(settings)


async def test_a_wrong_certificate_of_one_host_is_enough_to_refuse(tls, files, settings):
    before = tls.logins()
    with server(silence, files["wrong-name"]) as wrong:
        text = await refusal(replace(settings, host=f"{tls.host},{wrong}"))

    assert f"{wrong}: the certificate is not for 127.0.0.1" in text
    assert tls.logins() == before


# The bucket


@pytest.mark.parametrize("answer", ["NO_ACCESS", "NOT_FOUND"])
async def test_a_missing_bucket_is_said_however_the_server_says_it(double, answer):
    double.inject(missing_bucket=answer)
    text = await refusal(replace(double.settings, bucket="nothing"))

    assert "BucketNotFound" in text
    assert "check COUCHBASE_BUCKET" in text


async def test_a_bucket_that_is_not_ready_yet_is_waited_for(double):
    double.inject(missing_bucket="NOT_FOUND", buckets=["starting"])

    await refusal(replace(double.settings, bucket="starting"), StoreUnavailable)


# The collection


@pytest.fixture(scope="module")
def shop():
    with couchbase_double("--collection", "shop.orders") as double:
        yield double


@pytest.fixture
def in_shop(shop):
    shop.heal()
    shop.clear()
    return replace(shop.settings, scope="shop", collection="orders")


async def test_everything_is_in_the_collection(shop, in_shop):
    """The double has no other collection: whatever went to another one would be an error."""
    store = CouchbaseStore(in_shop)
    await store.open()
    await store.upsert([order(1), alert(1), payment(1), dead_letter(1), shadow(1)])

    assert (await store.story(1)).order == order(1)
    assert [story.order for story in await store.latest(10)] == [order(1)]
    for status in (None, *STATUSES):
        await store.page(OrderQuery(status=status, country="IN"))
    assert (await store.stats(0)).countries[0].orders == 1
    for kind in KINDS:
        assert len(await store.scan(kind, None, 10)) == 1
    await store.close()
    assert set(shop.documents()) == {
        *("1", f"alert::1::{alert().reason}", "payment::1", "dead-letter::1"),
        f"shadow::1::{shadow().reason}",
    }


@pytest.mark.parametrize(
    ("scope", "collection"),
    [("shop", "nothing"), ("nowhere", "orders"), ("_default", "orders")],
)
async def test_a_missing_collection_is_said(in_shop, scope, collection):
    text = await refusal(replace(in_shop, scope=scope, collection=collection))

    assert f"there is no collection {scope}.{collection}; check COUCHBASE_SCOPE" in text


@pytest.mark.parametrize("name", ["or`ders", "", "a.b"])
async def test_a_name_that_would_end_a_statement_is_refused(in_shop, name):
    for changed in ({"collection": name}, {"scope": name}, {"bucket": "or`ders"}):
        with pytest.raises(StoreRejected, match="is not a name that a "):
            await CouchbaseStore(replace(in_shop, **changed)).open()


# Expiry


@pytest.mark.parametrize("days", [None, 3, 400])
async def test_documents_expire_when_they_are_told_to(double, days):
    store = CouchbaseStore(replace(double.settings, expiry_days=days))
    await store.open()
    await store.upsert([order(1), alert(1), payment(1), dead_letter(1)])
    await store.close()

    for key in ("1", f"alert::1::{alert().reason}", "payment::1", "dead-letter::1"):
        expiry = double.expiry_fields()[key]
        if days is None:
            assert expiry == 0
        else:
            left = expiry if days <= 30 else expiry - time.time()
            assert left == pytest.approx(days * 86_400, abs=60)


# Connections


async def test_polling_uses_the_connections_that_there_are(double):
    store = CouchbaseStore(double.settings)
    await store.open()
    await store.upsert([order(1)])
    await store.latest(10)
    before = double.requests()
    for _ in range(3):
        await asyncio.sleep(1.5)  # the SDK's own patience is 1 s
        await store.latest(10)
    await store.close()

    after = double.requests()
    assert after["query"] - before["query"] >= 3
    assert after["query_connections"] == before["query_connections"]


# Plain text


@pytest.mark.parametrize(("host", "lines"), [("here", 0), ("beyond", 1)])
async def test_plain_text_beyond_this_machine_is_warned_of_once(
    double, monkeypatch, caplog, host, lines
):
    if host == "beyond":
        monkeypatch.setattr("orderapp.couchbase_settings._is_loopback", lambda name: False)
    double.stop()
    store = CouchbaseStore(double.settings)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.open()
    double.start()
    await store.open()
    await store.close()

    assert caplog.text.count("the network can read the password") == lines
