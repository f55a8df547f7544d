"""A fast stand-in for a Faust Record: a msgspec Struct with the same fields.

`Record.from_data` costs about 8 µs, checks no types, and every attribute read goes through a
Python descriptor. The Struct is decoded and type-checked in C in under 1 µs. The Record
stays the declared contract (command line, documentation, single sends); batches carry Structs.
"""

import typing
from functools import cache
from typing import Any, TypeVar, cast

import faust
import msgspec

R = TypeVar("R", bound=faust.Record)


@cache
def _struct(record: type[faust.Record]) -> type[msgspec.Struct]:
    hints = typing.get_type_hints(record, include_extras=True)
    options = record._options
    fields: list[Any] = []
    for name in options.fields:
        if name in options.defaults:
            fields.append((name, hints[name], options.defaults[name]))
        else:
            fields.append((name, hints[name]))
    # gc=False: the fields hold no references that could form a cycle.
    return msgspec.defstruct(
        record.__name__, fields, frozen=True, gc=False, module=record.__module__
    )


def struct_of(record: type[R]) -> type[R]:
    """The Struct with the fields, types, constraints and defaults of `record`.

    Typed as the Record itself, since it is used in its place: same constructor (keywords
    only), same attributes, frozen.
    """
    return cast(type[R], _struct(record))  # type: ignore[arg-type]  # a class is hashable
