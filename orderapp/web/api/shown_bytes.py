"""Bytes that others wrote, as an answer shows them: JSON, text or hex, and not too many."""

from typing import Literal

import msgspec

from orderapp.engine.batches.framing import schema_id, unframed

#: Bytes that are shown, as text; as hex, of which a byte takes two characters, a quarter.
SHOWN = 16 * 1024


class ShownBytes(msgspec.Struct, frozen=True):
    """Bytes of a record. `text` is the JSON or the text that they are (UTF-8), or else their
    hex digits: the first `shown` of `length` bytes. `schema_id` is that of a Schema Registry,
    if they begin as its serializers have it; its five bytes are no part of JSON and text."""

    form: Literal["json", "text", "hex"]
    text: str
    length: int
    shown: int
    schema_id: int | None


def shown_bytes(data: bytes | None, most: int = SHOWN) -> ShownBytes | None:
    """What is shown of `data`; None for null, which Kafka tells from no bytes at all."""
    if data is None:
        return None
    schema = schema_id(data)
    for content in dict.fromkeys((unframed(data), data)):
        text = _text(content)
        if text is not None:
            part = content[:most].decode(errors="ignore")  # a character may be cut in two
            shown = len(data) - len(content) + len(part.encode())
            form: Literal["json", "text"] = "json" if _is_json(content) else "text"
            return ShownBytes(form, part, len(data), shown, schema)
    part = data[: most // 4].hex()
    return ShownBytes("hex", part, len(data), len(part) // 2, schema)


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
