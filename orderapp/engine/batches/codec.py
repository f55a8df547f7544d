"""How the values of a topic are written: JSON as a rule, or what its owner brings along."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import faust
import msgspec
from aiokafka import ConsumerRecord

from orderapp.engine.batches.framing import FRAMINGS, Framing, explained, unframed
from orderapp.engine.batches.structs import struct_of

V = TypeVar("V")


class Codec(ABC, Generic[V]):
    """Reads and writes the values of a topic."""

    #: Their declared type, and what makes one: the same, or a quicker one with the same fields.
    record: type[V]
    message: type[V]

    @abstractmethod
    def decode(self, data: bytes) -> V:
        """The value of a record. Raise ValueError, or `RecordError`, when it is none."""

    @abstractmethod
    def encode(self, value: V) -> bytes:
        """What to send for a value."""

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
        # Bound to the C functions: a method of ours around them would cost as much again.
        decode = msgspec.json.Decoder(self.message).decode
        self.__dict__["encode"] = msgspec.json.Encoder(enc_hook=_fields).encode
        self.__dict__["decode"] = (
            decode if framing is None else lambda data: decode(unframed(data))
        )

    def decode(self, data: bytes) -> V:
        """See `Codec`."""
        raise NotImplementedError

    def encode(self, value: V) -> bytes:
        """See `Codec`."""
        raise NotImplementedError

    def explain(self, data: bytes, error: Exception) -> Exception:
        """Say what `data` looks like when it is no such JSON."""
        return explained(data, error, self._framing)


def _fields(value: Any) -> Any:
    if isinstance(value, faust.Record):
        return value.asdict()
    raise TypeError(f"a {type(value).__name__} can't be written as JSON")


class Raw(Codec[ConsumerRecord]):
    """Leaves records as they are, where values may be anything; nothing is sent so."""

    record = message = ConsumerRecord

    def decode(self, data: bytes) -> ConsumerRecord:
        """Not called: `RawDecoder` hands out the records."""
        raise NotImplementedError

    def encode(self, value: ConsumerRecord) -> bytes:
        """Not called: who sends dead letters sends bytes."""
        raise NotImplementedError
