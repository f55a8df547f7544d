"""How the values of a topic are written: JSON as a rule, or what its owner brings along."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import faust
import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.batches.framing import FRAMINGS, Framing, explained, unframed
from orderapp.engine.batches.structs import struct_of

V = TypeVar("V")


class Codec(Generic[V]):
    """Reads and writes the values of a topic."""

    #: Their declared type, and what makes one: the same, or a quicker one with the same fields.
    record: type[V]
    message: type[V]

    #: The value of a record; raises ValueError, or `RecordError`, when it is none.
    decode: Callable[[bytes], V]
    #: What to send for a value.
    encode: Callable[[V], bytes]

    def explain(self, data: bytes, error: Exception) -> Exception:
        """`error`, which `decode` raised, or one of its kind that says more about `data`."""
        return error


class Json(Codec[V]):
    """JSON of a Faust Record (or a msgspec Struct, a dataclass), types and bounds checked.

    With `framing="schema-registry"` values may stand behind a schema's id when they are read;
    they are written without."""

    def __init__(self, record: type[V], framing: Framing | None = None) -> None:
        if framing is not None and framing not in FRAMINGS:
            raise ValueError(f"framing={framing!r} is not known: {', '.join(FRAMINGS)}")
        self.record, self._framing = record, framing
        is_record = isinstance(record, type) and issubclass(record, faust.Record)
        self.message = struct_of(record) if is_record else record  # type: ignore[type-var]
        # The C functions themselves: a method of ours around them would cost as much again.
        self.encode = msgspec.json.Encoder(enc_hook=_fields).encode
        decode: Callable[[bytes], V] = msgspec.json.Decoder(self.message).decode
        self.decode = decode if framing is None else lambda data: decode(unframed(data))

    def explain(self, data: bytes, error: Exception) -> Exception:
        """Say what `data` looks like when it is no such JSON."""
        return explained(data, error, self._framing)


def _fields(value: Any) -> Any:
    if isinstance(value, faust.Record):
        fields = value.asdict().items()
        return {name: field for name, field in fields if field is not msgspec.UNSET}
    raise TypeError(f"a {type(value).__name__} can't be written as JSON")


class Raw(Codec[ConsumerRecord]):
    """Records as they are, whose values may be anything: `RawDecoder` hands them out, and who
    sends them sends bytes."""

    record = message = ConsumerRecord
