"""Terraform's files as plain data.

Expressions stay text (`${var.name}`); `jsonencode({…})` becomes the data that it encodes."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import hcl2

from tests.deploy import known

_OPTIONS = hcl2.SerializationOptions(
    with_comments=False, explicit_blocks=False, strip_string_quotes=True
)
_JSON = re.compile(r"\$\{jsonencode\((.*)\)\}", re.S)


@cache  # one change by hand leaves most files as they are
def load(text: str) -> Any:
    return _decoded(hcl2.loads(text, serialization_options=_OPTIONS))


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, str) and (match := _JSON.fullmatch(value)):
        return _decoded(load(f"value = {match[1]}\n")["value"])
    return value


class Configuration:
    """All files of the module; `changes` replaces text, to see what notices."""

    def __init__(self, *changes: tuple[str, str]) -> None:
        self.text = {
            path.name: path.read_text("utf-8")
            for path in sorted((known.ROOT / "terraform").glob("*.tf"))
        }
        for old, new in changes:
            found = [name for name, text in self.text.items() if old in text]
            assert found, f"nowhere: {old}"
            self.text[found[0]] = self.text[found[0]].replace(old, new, 1)
        self._files = [load(text) for text in self.text.values()]

    def blocks(self, kind: str) -> Iterator[Any]:
        for file in self._files:
            yield from file.get(kind, [])

    def resources(self, kind: str) -> dict[str, Any]:
        """The resources of a type, by their names."""
        found: dict[str, Any] = {}
        for block in self.blocks("resource"):
            found |= block.get(kind, {})
        return found

    def kinds(self) -> set[str]:
        return {kind for block in self.blocks("resource") for kind in block}

    def resource(self, kind: str, name: str) -> Any:
        return self.resources(kind)[name]

    @property
    def locals(self) -> dict[str, Any]:
        return {key: value for block in self.blocks("locals") for key, value in block.items()}

    @property
    def variables(self) -> dict[str, Any]:
        return {name: body for block in self.blocks("variable") for name, body in block.items()}

    @property
    def outputs(self) -> dict[str, Any]:
        return {name: body for block in self.blocks("output") for name, body in block.items()}
