"""The embedded broker with real processes: shared, ended, killed, started again."""

import itertools
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aiokafka
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaConnectionError

from orderapp.engine.embedded import (
    EmbeddedBroker,
    EmbeddedBrokerError,
    jars,
    lock_jars,
    storage,
)
from orderapp.engine.embedded.ports import FIRST, LAST, cluster_at
from tests.e2e.kafka import Kafka, plain_kafka
from tests.e2e.secure_kafka import secure_kafka

# Joins, says where, and leaves on a line from us; it ignores the signals of a Ctrl-C, as a
# worker that still drains does.
USER = """
import signal, sys
from pathlib import Path
from orderapp.engine.embedded import EmbeddedBroker
signal.signal(signal.SIGINT, signal.SIG_IGN)
broker = EmbeddedBroker(Path(sys.argv[1]))
print(broker.join(), flush=True)
sys.stdin.readline()
broker.leave()
"""


class User:
    """Another process that uses the broker of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def address(self) -> str:
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("leave\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    # A path as people have them, with all that a properties file or a list could trip over.
    directory = tmp_path / "my orders, ünïcode=1"
    yield directory
    eventually(lambda: not broker_processes(directory))


@pytest.fixture
def user(data_dir: Path) -> Iterator[Callable[[], User]]:
    users = []

    def make() -> User:
        users.append(User(data_dir))
        return users[-1]

    yield make
    for one in users:
        one.kill()


@pytest.fixture
def broker(data_dir: Path) -> Iterator[EmbeddedBroker]:
    joined = EmbeddedBroker(data_dir)
    yield joined
    joined.leave()


def broker_processes(data_dir: Path) -> list[psutil.Process]:
    """Launcher, Java and guard of a data directory: all that work in its directory."""
    found = []
    for process in psutil.process_iter():
        try:
            at_work = process.status() != psutil.STATUS_ZOMBIE
            if at_work and process.cwd() == str(data_dir / "kafka"):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def pid_of(data_dir: Path, role: str) -> int:
    return int((data_dir / "kafka" / f"{role}.lock").read_text())


def kill_launcher(data_dir: Path) -> None:
    launcher = psutil.Process(pid_of(data_dir, "launcher"))
    launcher.kill()
    launcher.wait(60)


def runs(pid: int) -> bool:
    """Whether it does; of one that has ended its parent may not have heard yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(address: str) -> bool:
    """Whether a Kafka does, at the second or third time where the machine has paused."""
    return any(cluster_at(port_of(address), 5) for _ in range(3))


def port_of(address: str) -> int:
    return int(address.partition(":")[2])


def eventually(check: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


async def create_topic(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 6, 1)])
    finally:
        await admin.close()


async def send(address: str, topic: str, values: list[bytes]) -> None:
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(address: str, topic: str, count: int) -> list[bytes]:
    """Read the next `count` records in the group `readers`, and commit."""
    consumer = aiokafka.AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id="readers",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        values = [(await consumer.getone()).value for _ in range(count)]
        await consumer.commit()
    finally:
        await consumer.stop()
    return values


def test_processes_that_join_at_once_share_one_broker_that_ends_with_the_last(data_dir, user):
    users = [user() for _ in range(3)]
    addresses = {one.address() for one in users}

    assert len(addresses) == 1
    assert answers(addresses.pop())
    assert sum("java" in process.name() for process in broker_processes(data_dir)) == 1

    for one in users[:2]:
        one.leave()
    time.sleep(1)
    assert broker_processes(data_dir)

    users[2].leave()
    eventually(lambda: not broker_processes(data_dir))


def test_the_broker_ends_when_all_users_are_killed(data_dir, user):
    users = [user(), user()]
    port = port_of(users[0].address())
    users[1].address()

    for one in users:
        one.kill()

    eventually(lambda: not broker_processes(data_dir))
    assert not cluster_at(port)


def test_a_user_killed_during_the_start_leaves_nothing_behind(data_dir, user):
    one = user()
    eventually(lambda: len(broker_processes(data_dir)) >= 2)

    one.kill()

    eventually(lambda: not broker_processes(data_dir))


def test_java_killed_at_each_step_of_the_start_is_started_again(data_dir, user):
    one = user()

    def kill_java():
        killed = []
        for process in broker_processes(data_dir):
            with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                if process.name() == "java":
                    process.kill()
                    killed.append(process.wait(60))
        return killed

    for _ in range(2):  # as it loads its storage, and once more
        eventually(kill_java)

    assert answers(one.address())


def test_the_broker_listens_on_loopback_only_and_knows_no_secret(data_dir, broker, monkeypatch):
    monkeypatch.setenv("CONFLUENT_API_SECRET", "hidden")

    broker.join()

    java = psutil.Process(pid_of(data_dir, "broker"))
    listening = [c.laddr.ip for c in java.net_connections() if c.status == "LISTEN"]
    assert len(listening) == 2
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    for process in broker_processes(data_dir):
        assert "hidden" not in process.environ().values()


def test_signals_of_the_users_terminal_do_not_reach_the_broker(data_dir, user):
    one = user()
    address = one.address()
    java = pid_of(data_dir, "broker")

    os.killpg(one.process.pid, signal.SIGINT)
    os.kill(pid_of(data_dir, "launcher"), signal.SIGTERM)
    time.sleep(1)

    assert answers(address)
    assert java == pid_of(data_dir, "broker")


async def test_a_killed_broker_comes_back_with_its_records_and_offsets(data_dir, broker):
    address = broker.join()
    await create_topic(address, "orders")
    await send(address, "orders", [b"1", b"2", b"3", b"4"])
    assert await read(address, "orders", 2) == [b"1", b"2"]

    java = pid_of(data_dir, "broker")
    os.kill(java, signal.SIGKILL)
    eventually(lambda: pid_of(data_dir, "broker") != java)
    eventually(lambda: cluster_at(port_of(address)))

    assert await read(address, "orders", 2) == [b"3", b"4"]
    assert address == broker.join()


async def test_records_and_offsets_survive_the_last_user(data_dir, user, broker):
    first = user()
    address = first.address()
    await create_topic(address, "orders")
    await send(address, "orders", [b"1", b"2"])
    assert await read(address, "orders", 1) == [b"1"]
    first.leave()
    eventually(lambda: not broker_processes(data_dir))

    assert address == broker.join()
    assert await read(address, "orders", 1) == [b"2"]


def test_after_the_launcher_is_killed_the_next_join_gets_a_broker_on_the_same_port(
    data_dir, user, broker
):
    address = user().address()
    java = pid_of(data_dir, "broker")

    kill_launcher(data_dir)

    assert address == broker.join()
    assert not runs(java)
    assert answers(address)


def test_java_ends_when_the_launcher_is_killed_and_nobody_joins(data_dir, user):
    user().address()

    kill_launcher(data_dir)

    eventually(lambda: not broker_processes(data_dir))


def test_a_java_without_launcher_and_guard_is_replaced(data_dir, user, broker):
    address = user().address()
    java = pid_of(data_dir, "broker")
    guard = next(p for p in broker_processes(data_dir) if p.name() in {"sh", "dash", "bash"})
    guard.kill()
    kill_launcher(data_dir)
    assert runs(java)

    assert answers(broker.join())

    assert not runs(java)
    assert address


def test_a_user_that_joins_during_the_end_gets_a_working_broker(data_dir, user, broker):
    first = user()
    address = first.address()

    for pause in (0.0, 0.2, 0.5):
        (first or broker).leave()
        first = None
        time.sleep(pause)
        assert address == broker.join()
        time.sleep(1)  # longer than a broker that is about to end would live
        assert answers(address)


def test_another_port_is_taken_when_something_else_holds_the_last_one(data_dir, user, broker):
    first = user()
    port = port_of(first.address())
    first.leave()
    eventually(lambda: not broker_processes(data_dir))

    with socket.create_server(("127.0.0.1", port)):
        other = broker.join()

    assert port != port_of(other)
    assert answers(other)


def test_a_broker_that_finds_its_port_taken_gives_up_and_a_join_moves_it(data_dir, broker):
    port = port_of(broker.join())
    launcher = psutil.Process(pid_of(data_dir, "launcher"))
    launcher.suspend()  # or it would be faster than we are
    os.kill(pid_of(data_dir, "broker"), signal.SIGKILL)
    eventually(lambda: not cluster_at(port))

    with socket.create_server(("127.0.0.1", port)):
        launcher.resume()
        other = broker.join()

    assert port != port_of(other)
    assert answers(other)


def test_two_data_directories_have_two_brokers(data_dir, broker, tmp_path):
    other = EmbeddedBroker(tmp_path / "other")
    try:
        assert broker.join() != other.join()
    finally:
        other.leave()
    eventually(lambda: not broker_processes(tmp_path / "other"))


def same_start(tmp_path: Path) -> list[Path]:
    """Two directories whose brokers look for their ports from the same one on."""
    seen: dict[int, Path] = {}
    directory, first = tmp_path, -1
    for number in itertools.count():
        directory = tmp_path / str(number)
        first = zlib.crc32(os.fsencode(directory / "kafka")) % (LAST - FIRST + 1)
        if first in seen:
            break
        seen[first] = directory
    return [seen[first], directory]


def test_two_that_want_the_same_port_at_once_have_two_brokers(tmp_path):
    directories = same_start(tmp_path)
    users = [User(directory) for directory in directories]
    try:
        addresses = [one.address() for one in users]
        clusters = [cluster_at(port_of(address), 60) for address in addresses]
        assert len({*addresses}) == 2
        assert clusters == [
            storage.cluster_id(directory / "kafka") for directory in directories
        ]
    finally:
        for one in users:
            one.kill()
    eventually(lambda: not any(map(broker_processes, directories)))


def test_leave_interrupts_a_join_and_waits_for_nothing(data_dir):
    broker, errors = EmbeddedBroker(data_dir), []

    def join() -> None:
        with pytest.raises(EmbeddedBrokerError, match="left before it was up"):
            broker.join()
        errors.append("left")

    thread = threading.Thread(target=join)
    thread.start()
    eventually(lambda: "java" in {process.name() for process in broker_processes(data_dir)})
    held = broker_processes(data_dir)
    for process in held:
        with suppress(psutil.NoSuchProcess):
            process.suspend()  # whoever waited for it would wait for ever
    broker.leave()
    thread.join(60)
    for process in held:
        with suppress(psutil.NoSuchProcess):
            process.resume()

    assert errors == ["left"]


def test_a_broker_that_cannot_start_is_one_line_with_the_reason_and_the_log(data_dir, broker):
    broker.join()
    broker.leave()
    eventually(lambda: not broker_processes(data_dir))
    log = data_dir / "kafka" / "log"
    (log / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")

    with pytest.raises(EmbeddedBrokerError) as caught:
        broker.join()

    text = str(caught.value)
    assert "\n" not in text
    assert "node.id" in text or "node id" in text.lower()
    assert str(data_dir / "kafka" / "broker.log") in text
    assert "KAFKA_BOOTSTRAP_SERVERS" in text
    eventually(lambda: not broker_processes(data_dir))


async def test_the_secure_kafka_takes_the_right_secret_only(tmp_path, caplog):
    with secure_kafka(tmp_path) as kafka:
        settings = {
            "bootstrap_servers": kafka.bootstrap_servers,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": kafka.api_key,
            "ssl_context": ssl.create_default_context(cafile=str(kafka.ca_file)),
        }
        admin = AIOKafkaAdminClient(**settings, sasl_plain_password=kafka.api_secret)
        await admin.start()
        created = await admin.create_topics([NewTopic("orders", 6, 1)])
        # Its answer, and not the list of topics: the broker learns of them a moment later.
        assert [(topic, code) for topic, code, *_ in created.topic_errors] == [("orders", 0)]
        await admin.close()

        # aiokafka logs why each server refused it, and raises that none took it.
        with pytest.raises(KafkaConnectionError):
            await started(AIOKafkaAdminClient(**settings, sasl_plain_password="wrong"))
        assert "SaslAuthenticationFailed" in caplog.text
        caplog.clear()
        distrustful = settings | {"ssl_context": ssl.create_default_context()}
        with pytest.raises(KafkaConnectionError):
            await started(
                AIOKafkaAdminClient(**distrustful, sasl_plain_password=kafka.api_secret)
            )
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


async def started(admin: AIOKafkaAdminClient) -> None:
    try:
        await admin.start()
    finally:
        await admin.close()


async def test_the_plain_kafka_keeps_its_port_and_records_through_a_kill(tmp_path):
    with plain_kafka(tmp_path) as kafka:
        await create_topic(kafka.bootstrap_servers, "orders")
        await send(kafka.bootstrap_servers, "orders", [b"1"])
        kafka.kill()
        assert not cluster_at(kafka.port)
        kafka.restart()
        assert await read(kafka.bootstrap_servers, "orders", 1) == [b"1"]
    assert not cluster_at(kafka.port)


async def test_deleted_records_do_not_come_back_after_a_kill(tmp_path):
    kafka = Kafka(tmp_path / "kafka")
    # Kafka begins with its regular tasks 30 s after its start.
    kafka.format({"log.initial.task.delay.ms": "100"})
    try:
        kafka.start()
        await create_topic(kafka.bootstrap_servers, "orders")
        await send(kafka.bootstrap_servers, "orders", [b"0", b"1"])
        await delete_before(kafka.bootstrap_servers, "orders", 1)

        def kept() -> str:
            files = kafka.directory.rglob("log-start-offset-checkpoint")
            return "\n".join(file.read_text() for file in files)

        eventually(lambda: "orders 0 1" in kept().splitlines())
        kafka.kill()
        kafka.restart()
        assert await read(kafka.bootstrap_servers, "orders", 1) == [b"1"]
    finally:
        kafka.stop()


async def delete_before(address: str, topic: str, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        first = aiokafka.TopicPartition(topic, 0)
        await admin.delete_records({first: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


# The storage of a new cluster


def features(checkpoint: bytes) -> dict[bytes, bytes]:
    """Each feature, and its level (two bytes)."""
    return dict(re.findall(rb"([a-z.]+\.version)(..)\x00", checkpoint, re.DOTALL))


def test_a_new_cluster_has_the_features_that_kafkas_own_tool_gives_it(tmp_path):
    made = lock_jars.checkpoint(jars.classpath(time.sleep), tmp_path)
    pinned = storage.PINNED.read_bytes()

    assert features(pinned) == features(made)
    assert b"metadata.version" in features(pinned)
    # What differs is times and checksums.
    assert len(pinned) == len(made)


# The cache of Kafka's classes


def arguments_of(data_dir: Path) -> str:
    return " ".join(psutil.Process(pid_of(data_dir, "broker")).cmdline())


@pytest.mark.timeout(400)
def test_a_broker_that_runs_for_a_while_lets_later_ones_start_quickly(
    data_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    first = EmbeddedBroker(data_dir)
    first.join()
    assert "AOTCache=" not in arguments_of(data_dir)
    eventually(lambda: [*tmp_path.glob("caches/orderapp/*.aot")], 300)
    first.leave()
    (cache,) = tmp_path.glob("caches/orderapp/*.aot")
    eventually(lambda: not broker_processes(data_dir))
    assert not (data_dir / "kafka" / "training").exists()

    quick = start_and_leave(tmp_path / "quick")
    damage(cache)
    start_and_leave(tmp_path / "damaged")

    assert "AOT" not in quick


def start_and_leave(data_dir: Path) -> str:
    """What a broker of this directory logs: one that answers, and was given the cache."""
    broker = EmbeddedBroker(data_dir)
    assert answers(broker.join())
    log = (data_dir / "kafka" / "broker.log").read_text()
    assert "AOTCache=" in arguments_of(data_dir) or "goes on without" in log
    broker.leave()
    eventually(lambda: not broker_processes(data_dir))
    return log


def damage(cache: Path) -> None:
    """Nearly all of it, as a disk that fails would."""
    with cache.open("r+b") as file:
        for at in range(0, cache.stat().st_size, 4096):
            file.seek(at)
            file.write(b"\xff" * 64)


def test_training_ends_with_its_broker(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    broker = EmbeddedBroker(data_dir)
    broker.join()
    training = data_dir / "kafka" / "training"

    def trains():
        return [p for p in psutil.process_iter(["cmdline"]) if runs_in(p, training)]

    eventually(trains, 90)
    kill_launcher(data_dir)

    eventually(lambda: not trains())
    broker.leave()


def runs_in(process: psutil.Process, directory: Path) -> bool:
    return any(str(directory) in part for part in process.info["cmdline"] or ())
