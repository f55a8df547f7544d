"""Kafka's jars: pinned in `jars.lock`, kept in Maven's cache, checked before every use."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from orderapp.engine.delivery.retry import waits
from orderapp.engine.embedded.errors import (
    OR_OWN_KAFKA,
    EmbeddedBrokerError,
    missing_extra,
    unusable,
)
from orderapp.engine.embedded.progress import Progress

logger = logging.getLogger(__name__)

LOCK_FILE = Path(__file__).with_name("jars.lock")
NETWORK_TIMEOUT = 20  # seconds without a byte
#: How often a jar is asked for again. A first start makes some 80 connections, and must not
#: fail because one of them breaks; without a network it ends after 6 s.
RETRIES = 6


class FetchError(EmbeddedBrokerError):
    """A jar could not be fetched now."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock file."""

    sha256: str
    size: int
    coordinates: str  # group:artifact:version

    def path(self, repository: Path) -> Path:
        """Where Maven's layout puts it."""
        group, artifact, version = self.coordinates.split(":")
        return repository.joinpath(
            *group.split("."), artifact, version, f"{artifact}-{version}.jar"
        )

    def is_intact(self, path: Path) -> bool:
        """Whether the file is there and is exactly the pinned one."""
        try:
            return path.stat().st_size == self.size and sha256(path) == self.sha256
        except FileNotFoundError:
            return False


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_lock() -> list[Jar]:
    lines = LOCK_FILE.read_text("utf-8").splitlines()
    jars = (line.split() for line in lines if line and not line.startswith("#"))
    return [Jar(digest, int(size), coordinates) for digest, size, coordinates in jars]


def maven_repository() -> Path:
    """Maven's cache, where jgo finds it too."""
    if chosen := os.environ.get("M2_REPO"):
        return Path(chosen).absolute()
    return Path(os.path.expanduser("~"), ".m2", "repository").absolute()  # noqa: PTH111  # never raises


def to_fetch(jars: Iterable[Jar], repository: Path) -> list[Jar]:
    """Those of them that are missing there, or damaged."""
    return [jar for jar in jars if not jar.is_intact(jar.path(repository))]


def classpath(pause: Callable[[float], object]) -> list[Path]:
    """The paths of all jars, after fetching those that are missing or damaged.

    `pause(0)` is called now and then while it fetches, and may raise to give up."""
    repository, jars = maven_repository(), read_lock()
    try:
        wanted = to_fetch(jars, repository)
        if wanted:
            _fetch_all(wanted, repository, pause)
    except OSError as error:
        raise unusable(repository, error, "set M2_REPO to a directory to write to") from error
    return [jar.path(repository) for jar in jars]


def _fetch_all(
    wanted: Iterable[Jar], repository: Path, pause: Callable[[float], object]
) -> None:
    wanted = list(wanted)
    repository.mkdir(parents=True, exist_ok=True)
    # jgo writes straight to a file's final place. A directory beside it keeps half a jar from
    # being taken for a whole one by anybody else who uses the cache, and two fetches apart.
    with (
        tempfile.TemporaryDirectory(prefix=".orderapp-", dir=repository) as scratch,
        Progress(len(wanted), sum(jar.size for jar in wanted), repository) as progress,
    ):
        for jar in wanted:
            path = _fetch_patiently(jar.coordinates, Path(scratch), pause)
            if not jar.is_intact(path):
                raise EmbeddedBrokerError(
                    f"{jar.coordinates} was fetched but is not the jar that this version of "
                    f"orderapp pins (SHA-256 {sha256(path)} instead of {jar.sha256}): is a "
                    f"proxy changing it? Fetch it from another network, {OR_OWN_KAFKA}"
                )
            target = jar.path(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            progress.add(jar.size)


def _fetch_patiently(coordinates: str, scratch: Path, pause: Callable[[float], object]) -> Path:
    pause(0)
    for wait in islice(waits(), RETRIES):
        try:
            return _fetch_anew(coordinates, scratch)
        except FetchError as error:
            # Its text is long, and names every layer of the network's library.
            why = type(error.__cause__).__name__
            logger.info("%s: %s (next attempt in %.1f s)", coordinates, why, wait)
            pause(wait)
    return _fetch_anew(coordinates, scratch)


def _fetch_anew(coordinates: str, scratch: Path) -> Path:
    # A directory for each try: jgo refuses to go on with half a file.
    return fetch(coordinates, Path(tempfile.mkdtemp(dir=scratch)))


def fetch(coordinates: str, repository: Path) -> Path:
    """Download one jar into a Maven repository of its own; nothing is checked yet. TLS trusts
    what requests trusts; its variable REQUESTS_CA_BUNDLE names other certificates.

    Raises `FetchError` where the network, or the other side, is in the way."""
    try:
        from jgo.maven import MavenContext  # slow, needed only once
        from requests import RequestException, exceptions  # what jgo uses
    except ImportError as error:
        raise missing_extra(error.name) from error
    context = MavenContext(repo_cache=repository, timeout=NETWORK_TIMEOUT)
    group, artifact, version = coordinates.split(":")
    try:
        return context.project(group, artifact).at_version(version).artifact().resolve()
    except (RequestException, RuntimeError) as error:  # RuntimeError: jgo's "not found"
        way_out = "connect to the network once"
        if isinstance(error, exceptions.SSLError):
            way_out += " (REQUESTS_CA_BUNDLE names a proxy's own certificates)"
        raise FetchError(
            f"Apache Kafka's jars are not in {maven_repository()} yet and cannot be fetched "
            f"({coordinates}: {type(error).__name__}); {way_out}, {OR_OWN_KAFKA}"
        ) from error
