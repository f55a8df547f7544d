"""What stands around JSON, or in its place, in records as they are in the field.

Serializers put a schema's id before a value, editors a mark; others compress it, or encode it
twice. Who looks at such a dead letter is told so, instead of "JSON is malformed". Of all this
only `unframed` runs for records that can be decoded, where a topic allows the framing.
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args

import msgspec

#: What a topic may allow around its JSON: the Schema Registry's five bytes (0, a schema's id).
Framing = Literal["schema-registry"]
FRAMINGS: tuple[str, ...] = get_args(Framing)

_FRAME = 5
_JSON_STARTS = (b"{", b"[", b'"')
_PLAIN = "have its sender write plain JSON in UTF-8"
_OWN = "leave compression to the producer (its setting compression.type), which Kafka undoes"

#: How what is no JSON begins, the longer ones first: what it is, and what to do.
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32", _PLAIN),
    (b"\x00\x00\xfe\xff", "UTF-32", _PLAIN),
    (b"\xff\xfe", "UTF-16", _PLAIN),
    (b"\xfe\xff", "UTF-16", _PLAIN),
    (
        b"\xef\xbb\xbf",
        "UTF-8 with a byte order mark",
        "have its sender leave it out",
    ),
    (b"\x1f\x8b", "compressed by gzip", _OWN),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", _OWN),
    (b"\x04\x22\x4d\x18", "compressed by lz4", _OWN),
    (b"\xff\x06\x00\x00sNaPpY", "compressed by snappy", _OWN),
    (b"\x82SNAPPY\x00", "compressed by snappy", _OWN),
    (b"\x78\x9c", "compressed by zlib", _OWN),
    (b"BZh", "compressed by bzip2", _OWN),
    (b"Obj\x01", "an Avro container file", _PLAIN),
    (b"\xac\xed\x00\x05", "a serialized Java object", _PLAIN),
    (b"\x80\x04\x95", "a Python pickle", _PLAIN),
    (b"\x80\x05\x95", "a Python pickle", _PLAIN),
    (b"\x1e", "a JSON text sequence", "have its sender leave the record separators out"),
    (b"<", "XML", _PLAIN),
    (b"{'", "a Python dict as `str` writes it", "have its sender use json.dumps"),
    (b"eyJ", "JSON in base64", "have its sender leave the base64 out"),
    (b"ewo", "JSON in base64", "have its sender leave the base64 out"),
)
#: Fields of envelopes: what it is, and what to do.
_ENVELOPES = (
    ({"specversion", "data"}, "a CloudEvent in structured mode", "use its binary mode"),
    (
        {"schema", "payload"},
        "Kafka Connect's JSON with its schema",
        "set value.converter.schemas.enable=false",
    ),
)


def unframed(data: bytes) -> bytes:
    """What stands behind the Schema Registry's five bytes, if they are there."""
    return data[_FRAME:] if data[:1] == b"\0" and len(data) > _FRAME else data


def schema_id(data: bytes) -> int | None:
    """The schema's id in the Schema Registry's five bytes, if they are there."""
    is_framed = data[:1] == b"\0" and len(data) > _FRAME
    return int.from_bytes(data[1:_FRAME], "big") if is_framed else None


def plain_key(key: bytes | None) -> bytes:
    """A key as text, without the framing and the quotes of a JSON serializer."""
    return unframed(key or b"").strip(b'"')


def explained(value: bytes, error: Exception, framing: Framing | None = None) -> Exception:
    """`error`, which decoding raised, or one of its kind that says what `value` looks like."""
    if framing is not None and unframed(value).lstrip()[:1] in _JSON_STARTS:
        value = unframed(value)
    look = next(_looks(value), None)
    if look is None:
        return error
    what, remedy = look
    kind = type(error) if isinstance(error, msgspec.DecodeError) else msgspec.DecodeError
    return kind(f"the value looks like {what}: {remedy} ({error})")


def _looks(value: bytes) -> Iterator[tuple[str, str]]:
    if not value.strip():
        yield "an empty text", "have its sender write JSON"
    if encoding := _wide(value):
        yield f"{encoding} without a mark", _PLAIN
    for mark, what, remedy in _MARKS:
        if value.startswith(mark):
            yield what, remedy
    schema = schema_id(value)
    if schema is not None:
        yield _framed(value, schema)
    if value.lstrip()[:1] in _JSON_STARTS:
        yield from _other_json(value.lstrip())


def _wide(value: bytes) -> str | None:
    """UTF-16 or UTF-32 of a text that begins as JSON does."""
    for encoding, size in (
        ("utf-32-le", 4),
        ("utf-32-be", 4),
        ("utf-16-le", 2),
        ("utf-16-be", 2),
    ):
        try:
            text = value[: 2 * size].decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(text) == 2 and text.isascii() and "\0" not in text and text[0] in '{["':
            return encoding[:6].upper()
    return None


def _framed(value: bytes, schema: int) -> tuple[str, str]:
    frame = f"the Schema Registry's framing (a 0, then schema id {schema})"
    if value[_FRAME:].lstrip()[:1] in _JSON_STARTS:
        return (
            f"JSON in {frame}",
            "allow it (ORDERAPP_FRAMING=schema-registry, `framing` of the topic), or " + _PLAIN,
        )
    return f"Avro or Protobuf in {frame}", "only JSON can be read: use its JSON serializer"


def _other_json(value: bytes) -> Iterator[tuple[str, str]]:
    """JSON, but not the one object that was expected."""
    first = _first(value)
    if first is not None and value[first:].lstrip()[:1] in _JSON_STARTS:
        yield "several JSON values, as in newline-delimited JSON", "send a record for each"
    elif value[:1] == b"[":
        yield "a JSON array", "send a record for each of its items"
    elif value[:1] == b'"':
        inner = _read(value, str)
        if inner is not None and inner.lstrip()[:1] in ("{", "["):
            yield "JSON within a JSON string", "have its sender encode it once"
    else:
        fields = _read(value, dict[str, msgspec.Raw])
        for names, what, remedy in _ENVELOPES:
            if fields is not None and names <= fields.keys():
                yield what, f"{remedy}, or send what it holds alone"


def _first(value: bytes) -> int | None:
    """Where the first of several JSON values ends."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        _, found, place = str(error).partition("trailing characters (byte ")
        return int(place.rstrip(")")) if found else None
    except (ValueError, RecursionError):
        return None
    return None


def _read(value: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
