"""JSON Schema of our types, with what clients that are generated from it have to know.

A generator that is told nothing takes an integer for one of 32 bits, a number for a float of 32
bits, and a field with a default for one that may be missing.
"""

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from math import inf
from typing import Any

import msgspec

Schema = dict[str, Any]

_REF = "#/components/schemas/{name}"


def describe(models: Sequence[Any], *, written: bool) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each model, and those of the components that they refer to, by name.

    `written`: it is we who write them, so that fields with a default are always there."""
    schemas, components = msgspec.json.schema_components(models, ref_template=_REF)
    described = {name: completed(schema) for name, schema in components.items()}
    if written:
        described = {name: _always_there(schema) for name, schema in described.items()}
    return [completed(schema) for schema in schemas], described


def completed(schema: Mapping[str, Any]) -> Schema:
    """A schema with the widths of its numbers, the types of its enumerations, and its text
    without the indentation of the code."""
    made: Schema = {name: _completed(value) for name, value in schema.items()}
    if made.get("type") == "integer":
        is_narrow = made.get("minimum", -inf) >= -(2**31) and made.get("maximum", inf) < 2**31
        made["format"] = "int32" if is_narrow else "int64"
    elif made.get("type") == "number":
        made["format"] = "double"
    elif isinstance(made.get("enum"), list) and "type" not in made:
        made = {"type": "string", **made}
    if isinstance(made.get("description"), str):
        made["description"] = cleandoc(made["description"]).replace("``", "`")
    return made


def _completed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return completed(value)
    return [_completed(item) for item in value] if isinstance(value, list) else value


def _always_there(schema: Schema) -> Schema:
    fields = schema.get("properties", {})
    with_default = [name for name, field in fields.items() if "default" in field]
    for name in with_default:
        del fields[name]["default"]
    required = {*schema.get("required", ()), *with_default}
    if required:
        schema["required"] = [name for name in fields if name in required]
    return schema
