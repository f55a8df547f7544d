"""What is found by its place: the files of a folder, and other packages' entry points.

Services and rules are. Nothing is imported to find it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import NamedTuple

from orderapp.engine.observe.texts import text_or_class


class PluginError(Exception):
    """A service or a rule can't be had; the text is one line that names the place."""


class Found(NamedTuple):
    """A module, and where it was found."""

    name: str
    module: str
    place: str


@dataclass(frozen=True)
class Plugins:
    """All of one kind: a folder's files, then the entry points of the group of its name."""

    #: `service`, for errors.
    kind: str
    #: The package whose files they are, and the group of entry points.
    group: str

    def find(self, path: Iterable[str]) -> Iterator[Found]:
        """All of them; `path` is the package's."""
        for one in [*self._files(path), *map(self._declared, self._entry_points())]:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", one.name):
                raise PluginError(
                    f"{one.name!r} is not allowed as the name of a {self.kind} ({one.place}): "
                    "small letters, digits and -, a letter first"
                )
            yield one

    def load(self, module: str) -> None:
        """Import a module; raise `PluginError` where another package's can't be."""
        try:
            import_module(module)
        except PluginError:
            raise  # it names its own place
        except Exception as error:
            for entry in self._entry_points():
                if entry.module == module:
                    what = f"{type(error).__name__}: {text_or_class(error)}"
                    raise PluginError(f"{_place(entry)} can't be imported: {what}") from error
            raise

    def _files(self, path: Iterable[str]) -> Iterator[Found]:
        for module in iter_modules(path):
            if not module.name.startswith("_"):
                full = f"{self.group}.{module.name}"
                yield Found(module.name.replace("_", "-"), full, full)

    def _entry_points(self) -> list[EntryPoint]:
        found = entry_points(group=self.group)
        return sorted(found, key=lambda entry: (entry.name, entry.value))

    def _declared(self, entry: EntryPoint) -> Found:
        place = _place(entry)
        if not re.fullmatch(r"\w+(\.\w+)*", entry.value):
            raise PluginError(f"{place} is not allowed: give it a module, package.module")
        return Found(entry.name, entry.value, place)


def _place(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "an unknown distribution"
    return f"the entry point {entry.name} = {entry.value} of {distribution}"
