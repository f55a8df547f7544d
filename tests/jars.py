"""Jars that tests need beside Kafka's: kept in Maven's cache, checked before every use."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from orderapp.engine.embedded.jars import FetchError, Jar, fetch, maven_repository


class MissingJarError(Exception):
    """A jar is not there and cannot be fetched now; the text is one line."""


def fetched(jars: Iterable[Jar]) -> list[Path]:
    """Their paths, after fetching what is missing or damaged. Raises `MissingJarError`."""
    return [_fetched(jar) for jar in jars]


def _fetched(jar: Jar) -> Path:
    path = jar.path(maven_repository())
    if jar.is_intact(path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        try:
            found = fetch(jar.coordinates, Path(scratch))
        except FetchError as error:
            why = type(error.__cause__).__name__
            raise MissingJarError(f"{jar.coordinates} cannot be fetched ({why})") from error
        assert jar.is_intact(found), f"{jar.coordinates} is not the jar that is pinned"
        found.replace(path)
    return path
