"""The parts of the embedded broker that need no broker."""

import base64
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from unittest.mock import Mock

import pytest

from orderapp.engine.embedded import (
    EmbeddedBroker,
    EmbeddedBrokerError,
    aot,
    launcher,
    server,
    storage,
)
from orderapp.engine.embedded.launcher import Java
from orderapp.engine.embedded.locks import FileLock
from orderapp.engine.embedded.log import last_words
from orderapp.engine.embedded.ports import FIRST, LAST, cluster_at, free_ports, is_free
from orderapp.engine.embedded.service import EmbeddedKafka
from orderapp.engine.private import PrivateDirectory

LISTENERS = {"PLAINTEXT": 20001, "CONTROLLER": 20002}


# What Kafka is told


def test_every_listener_is_on_loopback():
    properties = server.server_properties({**LISTENERS, "SASL_SSL": 20003})

    urls = properties["listeners"].split(",")
    assert len(urls) == 3
    assert all("://127.0.0.1:" in url for url in urls)
    assert "CONTROLLER" not in properties["advertised.listeners"]
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:20002"


def test_only_the_controller_has_a_protocol_of_another_name():
    properties = server.server_properties({**LISTENERS, "SASL_SSL": 20003})

    assert properties["listener.security.protocol.map"] == (
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL"
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("plain", "a=plain\n", id="nothing to escape"),
        pytest.param("a=b:c#d", "a=a=b:c#d\n", id="separators are fine in a value"),
        pytest.param("C:\\x", "a=C:\\\\x\n", id="backslash"),
        pytest.param(" x", "a=\\ x\n", id="leading space"),
        pytest.param("ü", "a=\\u00fc\n", id="not ASCII"),
        pytest.param("🙂", "a=\\ud83d\\ude42\n", id="beyond 16 bits"),
    ],
)
def test_a_value_reaches_java_as_it_is(value, line):
    assert line == server.render({"a": value})


def test_java_gets_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("CONFLUENT_API_SECRET", "hidden")

    environment = server.environment([Path("/m2/a.jar"), Path("/m2/b.jar")])

    assert environment["CLASSPATH"] == "/m2/a.jar:/m2/b.jar"
    assert environment.keys() == {"CLASSPATH", "LANG", "PATH", "MALLOC_ARENA_MAX"}


# The storage of a new cluster


def properties(directory):
    lines = (directory / "log" / "meta.properties").read_text().split()
    return dict(line.split("=", 1) for line in lines)


def test_two_clusters_have_two_ids(tmp_path):
    ids = []
    for name in ("one", "other"):
        storage.format_new(tmp_path / name)
        found = properties(tmp_path / name)
        ids += [found["cluster.id"], found["directory.id"]]

    assert len(set(ids)) == 4
    assert all(len(base64.urlsafe_b64decode(each + "==")) == 16 for each in ids)


def test_no_id_begins_with_a_dash_which_is_an_option_for_kafkas_tools(tmp_path, monkeypatch):
    dash, other = uuid.UUID(int=0xF8 << 120), uuid.UUID(int=1)
    drawn = [dash, other, dash, dash, other]
    monkeypatch.setattr(storage.uuid, "uuid4", lambda: drawn.pop(0))

    storage.format_new(tmp_path)

    assert properties(tmp_path)["cluster.id"] == "AAAAAAAAAAAAAAAAAAAAAQ"


def test_a_cluster_that_is_there_keeps_its_storage(tmp_path):
    storage.format_new(tmp_path)
    before = properties(tmp_path)
    (tmp_path / "log" / storage.CHECKPOINT).write_bytes(b"grown")

    storage.format_new(tmp_path)

    assert properties(tmp_path) == before
    assert (tmp_path / "log" / storage.CHECKPOINT).read_bytes() == b"grown"


def test_storage_that_was_left_half_made_is_made(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", Mock(side_effect=OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            storage.format_new(tmp_path)
    assert not storage.is_formatted(tmp_path)

    storage.format_new(tmp_path)

    assert storage.is_formatted(tmp_path)
    found = [*tmp_path.rglob("*")]
    files = {path.name for path in found if path.is_file()}
    assert files == {"meta.properties", storage.CHECKPOINT.name}
    assert not [path for path in found if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", ""), (b"\xff\n", ""), (b"#\nversion=1\ncluster.id=a-b_c\nnode.id=1\n", "a-b_c")],
)
def test_the_id_of_a_cluster_is_in_its_storage_or_that_is_damaged(tmp_path, content, found):
    storage.format_new(tmp_path)
    (tmp_path / "log" / "meta.properties").write_bytes(content)

    assert storage.cluster_id(tmp_path) == found


# Ports


def test_the_preferred_port_comes_first_while_it_is_free():
    port = next(free_ports("somewhere"))

    assert port == next(free_ports("elsewhere", [port]))
    with socket.create_server(("127.0.0.1", port)):
        assert port != next(free_ports("elsewhere", [port]))
        assert port != next(free_ports("somewhere"))


def test_ports_differ_and_are_none_that_a_client_can_be_given():
    ports = free_ports("somewhere")
    chosen = [next(ports) for _ in range(3)]

    assert len(set(chosen)) == 3
    assert all(FIRST <= port <= LAST for port in chosen)


def answer_once(reply: bytes) -> int:
    """A server that answers one connection with these bytes; its port."""
    server_socket = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server_socket, server_socket.accept()[0] as connection:
            connection.recv(100)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return server_socket.getsockname()[1]


def metadata(brokers, *rest):
    """An answer of Kafka's: a number of brokers, and what comes behind that."""
    body = b"".join([b"\0\0\0\1", brokers.to_bytes(4), *rest])
    return len(body).to_bytes(4) + body


ONE = b"\0\0\0\1" + b"\0\x09127.0.0.1" + b"\0\0\x4e\x21" + b"\xff\xff"
IN_RACK = b"\0\0\0\2" + b"\0\x09127.0.0.1" + b"\0\0\x4e\x22" + b"\0\1r"
CLUSTER = b"\0\x16AAAAAAAAQACAAAAAAAAAAg" + b"\0\0\0\1" + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("reply", "cluster"),
    [
        pytest.param(b"", None, id="closes"),
        pytest.param(b"short", None, id="too short"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", None, id="no Kafka"),
        pytest.param(metadata(0, CLUSTER), None, id="no broker open yet"),
        pytest.param(metadata(1, ONE), None, id="it ends early"),
        pytest.param(metadata(1, ONE, b"\xff\xff"), None, id="no id yet"),
        pytest.param(metadata(1, ONE, CLUSTER), "AAAAAAAAQACAAAAAAAAAAg", id="one broker"),
        pytest.param(metadata(2, ONE, IN_RACK, CLUSTER), "AAAAAAAAQACAAAAAAAAAAg", id="two"),
    ],
)
def test_a_kafka_that_is_open_for_work_says_which_cluster_it_is(reply, cluster):
    assert cluster == cluster_at(answer_once(reply), timeout=60)


def test_a_port_that_accepts_and_says_nothing_is_no_kafka():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not cluster_at(silent.getsockname()[1], timeout=0.1)


# Locks


def test_a_lock_can_be_shared_and_shuts_out_the_exclusive_one(tmp_path):
    path = tmp_path / "lock"
    with FileLock(path) as one, FileLock(path) as two, FileLock(path) as other:
        assert one.try_lock(shared=True)
        assert two.try_lock(shared=True)
        assert not other.try_lock()
        one.close()
        two.close()
        assert other.try_lock()


def test_a_lock_that_is_never_free_is_an_error_that_names_it(tmp_path):
    with FileLock(tmp_path / "lock") as holder, FileLock(tmp_path / "lock") as waiting:
        holder.try_lock()

        with pytest.raises(EmbeddedBrokerError, match=str(tmp_path / "lock")):
            waiting.lock(timeout=0.1, pause=time.sleep)


# The data directory


def test_a_data_directory_below_a_file_is_one_line_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(EmbeddedBrokerError) as caught:
        EmbeddedBroker(tmp_path / "file").join()

    text = str(caught.value)
    assert text.startswith(
        f"the embedded broker cannot use {tmp_path / 'file' / 'kafka'}: Not a"
    )
    assert "ORDERAPP_DATA_DIR" in text
    assert "KAFKA_BOOTSTRAP_SERVERS" in text
    assert "\n" not in text


def test_a_relative_data_directory_is_in_the_working_directory_of_its_first_use(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    broker = EmbeddedBroker(Path("file"))
    # As `--workdir` does, after the app was imported.
    monkeypatch.chdir(tmp_path)

    with pytest.raises(EmbeddedBrokerError, match=str(tmp_path / "file" / "kafka")):
        broker.join()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc refuses new files even to root")
def test_a_data_directory_that_cannot_be_made_is_one_line_that_names_it():
    with pytest.raises(
        EmbeddedBrokerError, match=r"cannot use /proc/orders.*ORDERAPP_DATA_DIR"
    ):
        EmbeddedBroker(Path("/proc/orders")).join()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX only")
def test_a_read_only_data_directory_is_one_line_that_names_it(tmp_path):
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from orderapp.engine.embedded import EmbeddedBroker, EmbeddedBrokerError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root may write everywhere
        "try: EmbeddedBroker(Path(sys.argv[1])).join()\n"
        "except EmbeddedBrokerError as error: print(error)\n"
    )
    tmp_path.chmod(0o555)

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "orders")],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "Permission denied; set ORDERAPP_DATA_DIR" in done.stdout, done.stderr


def test_leave_without_a_join_does_nothing(tmp_path):
    broker = EmbeddedBroker(tmp_path / "orders")

    broker.leave()
    broker.leave()

    assert not (tmp_path / "orders").exists()


# A worker's part of it


class Moving:
    """The broker of a data directory, as its users see it."""

    def __init__(self, address):
        self.address = self.next_address = address
        self.lives = True
        self.joins = 0

    def is_running(self, address):
        return self.lives and address == self.address

    def join(self):
        self.joins += 1
        self.address, self.lives = self.next_address, True
        return self.address


@pytest.fixture
def embedded(tmp_path):
    failures = []
    kafka = EmbeddedKafka(PrivateDirectory(tmp_path), failures.append)
    kafka._broker, kafka.failures = Moving("127.0.0.1:20001"), failures
    kafka.find()
    return kafka


async def test_a_broker_that_lives_is_left_alone(embedded):
    await embedded._look(embedded._address)

    assert (embedded._broker.joins, embedded.failures) == (1, [])


async def test_a_broker_that_comes_back_at_its_address_fails_nobody(embedded):
    embedded._broker.lives = False

    await embedded._look(embedded._address)

    assert (embedded._broker.joins, embedded.failures) == (2, [])


@pytest.mark.parametrize("by_another", [False, True])
async def test_a_broker_that_had_to_move_ends_the_worker_with_one_line(embedded, by_another):
    embedded._broker.next_address = "127.0.0.1:20005"
    if by_another:
        embedded._broker.join()
    else:
        embedded._broker.lives = False

    for _ in range(3):
        await embedded._look(embedded._address)

    (failure,) = embedded.failures
    assert "from 127.0.0.1:20001 to 127.0.0.1:20005" in str(failure)
    assert "\n" not in str(failure)


def test_a_broker_at_another_port_than_ours_is_not_ours(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "port").write_text("20005\n")
    with FileLock(tmp_path / "kafka" / "launcher.lock") as launcher_lock:
        assert not broker.is_running("127.0.0.1:20005")
        launcher_lock.try_lock()
        assert broker.is_running("127.0.0.1:20005")
        assert not broker.is_running("127.0.0.1:20001")


# The log


@pytest.mark.parametrize(
    ("log", "line"),
    [
        pytest.param("", "its log is empty", id="empty"),
        pytest.param("one\ntwo\n\n", "two", id="no trouble: the last line"),
        pytest.param("x ERROR bad\n\tat a.b(C.java:1)\n", "x ERROR bad", id="stack frames"),
        pytest.param(
            "ERROR fatal\nCaused by: a.BindException: in use\n\tat x\n\t... 3 more\nWARN y\n",
            "Caused by: a.BindException: in use",
            id="the cause, not what was said later",
        ),
    ],
)
def test_the_last_words_of_a_log_are_its_trouble(tmp_path, log, line):
    (tmp_path / "broker.log").write_text(log)

    assert line == last_words(tmp_path / "broker.log")


def test_a_missing_log_has_no_last_words(tmp_path):
    assert last_words(tmp_path / "broker.log") == "its log is empty"


def test_a_growing_log_is_cut_and_its_last_part_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launcher, "LOG_BYTES", 10)
    with (tmp_path / "broker.log").open("ab") as log:
        monkeypatch.setattr(launcher.sys, "stderr", log)
        log.write(b"more than ten bytes\n")
        log.flush()

        launcher.trim_log()
        log.write(b"after\n")

    assert (tmp_path / "broker.log").read_text() == "after\n"
    assert (tmp_path / "broker.log.1").read_text() == "more than ten bytes\n"


# The guard of a Java process


def run(script: str, begun: Path) -> Java:
    """A shell in Java's place, which has come as far as making the file `$1`."""
    java = Java(["/bin/sh", "-c", script, "sh", str(begun)], log=2)
    while not begun.exists():
        time.sleep(0.01)
    return java


def test_stopping_is_orderly_for_a_process_that_obeys(tmp_path):
    java = run(': >"$1"; exec sleep 600', tmp_path / "begun")

    java.stop()

    assert java.process.returncode == -15


def test_a_process_that_ignores_the_request_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr(launcher, "GRACE_SECONDS", 0.3)
    java = run(
        "trap '' TERM; : >\"$1\"; while :; do sleep 0.05; done",
        tmp_path / "begun",
    )

    java.stop()

    assert java.process.returncode == -9


def test_a_process_dies_when_its_holder_is_gone_without_goodbye(tmp_path):
    java = run(': >"$1"; exec sleep 600', tmp_path / "begun")

    os.close(java.process.stdin.fileno())  # as the system does for a killed holder

    assert java.process.wait(60) == -9


@pytest.mark.parametrize("script", ["launcher.py", "trainer.py"])
def test_the_scripts_beside_the_broker_import_nothing_of_ours(script):
    path = Path(launcher.__file__).with_name(script)
    code = f"import runpy, sys; runpy.run_path({str(path)!r}); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30
    )

    modules = done.stdout.split()
    assert "fcntl" in modules
    assert not {"orderapp", "faust", "asyncio"} & set(modules)


# The cache of Kafka's classes


@pytest.fixture
def java(tmp_path):
    path = tmp_path / "java"
    path.touch()
    return path


def test_the_cache_is_for_one_java_and_its_jars(tmp_path, java, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    jar = tmp_path / "kafka.jar"
    jar.touch()
    cache = aot.place(java, [jar])

    assert cache.parent == tmp_path / "caches" / "orderapp"
    assert cache.parent.stat().st_mode & 0o777 == 0o700
    assert aot.place(java, [jar]) == cache
    os.utime(jar, (1, 1))  # fetched anew
    assert aot.place(java, [jar]) != cache
    assert aot.using(["java", "kafka.Kafka"], cache) == ["java", "kafka.Kafka"]
    cache.touch()
    assert aot.using(["java", "kafka.Kafka"], cache)[1] == f"-XX:AOTCache={cache}"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755])
def test_a_directory_that_is_not_ours_alone_has_no_cache(tmp_path, java, monkeypatch, mode):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "orderapp").mkdir()
    (tmp_path / "orderapp").chmod(mode)

    assert aot.place(java, []) is None


@pytest.mark.parametrize("home", ["nowhere", "/dev/null"])
def test_without_a_place_there_is_no_cache(java, monkeypatch, home):
    monkeypatch.setenv("XDG_CACHE_HOME", home)

    assert aot.place(java, []) is None
    assert not Path("nowhere").exists()


def test_only_a_crash_is_laid_to_the_cache(tmp_path, monkeypatch):
    cache = tmp_path / "kafka.aot"
    cache.touch()
    command = aot.using(["java", "kafka.Kafka"], cache)
    with (tmp_path / "log").open("ab") as log:
        monkeypatch.setattr(launcher.sys, "stderr", log)

        for code in (1, 143, -signal.SIGKILL, -signal.SIGTERM):
            assert launcher.without_cache(command, code) == command
        assert cache.exists()
        left = launcher.without_cache(command, -signal.SIGABRT)

    assert (left[0], left[-1], cache.exists()) == ("java", "kafka.Kafka", False)
    assert not [part for part in left if "AOTCache" in part]
    assert "goes on without" in (tmp_path / "log").read_text()


def test_a_busy_port_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        assert not is_free(busy.getsockname()[1])
