"""With no settings at all nothing listens for other machines."""

import ipaddress

import psutil

from tests.e2e.worker import eventually


def processes(worker):
    """Those of a worker, its launcher and the broker, which are no children of it."""
    own = psutil.Process(worker.process.pid)
    found = {own.pid: own} | {child.pid: child for child in own.children(recursive=True)}
    for process in psutil.process_iter(["cmdline"]):
        if any(str(worker.data_dir) in part for part in process.info["cmdline"] or ()):
            found[process.pid] = process
    return list(found.values())


def listeners(worker):
    """(name, address, port) of all that they listen to."""
    return [
        (process.name(), connection.laddr.ip, connection.laddr.port)
        for process in processes(worker)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM"
    ]


def test_worker_launcher_and_broker_listen_on_loopback_only(pipeline):
    found = eventually(
        lambda: len(all_of := listeners(pipeline)) >= 3 and all_of, "web, broker and controller"
    )

    ports = {port for _, _, port in found}
    assert {pipeline.port, int(pipeline.kafka.rpartition(":")[2])} <= ports
    assert any("java" in name for name, _, _ in found)
    for name, address, port in found:
        # Java shows IPv4's loopback as an IPv6 address.
        loopback = ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback
        assert loopback, (name, address, port)


def test_an_address_is_opened_to_others_only_when_it_is_said(empty_kafka, start):
    worker = start(
        ORDERAPP_WEB_HOST="0.0.0.0",
        ORDERAPP_SERVICES="web",
        KAFKA_BOOTSTRAP_SERVERS=empty_kafka.bootstrap_servers,
    ).wait_ready()

    assert [(address, port) for _, address, port in listeners(worker)] == [
        ("0.0.0.0", worker.port)
    ]
