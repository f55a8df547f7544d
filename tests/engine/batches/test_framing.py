"""What a record looks like that is no JSON is said, and what to do."""

import base64
import bz2
import gzip
import json
import pickle
import zlib

import faust
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.batches.framing import explained, plain_key, unframed
from tests.records import record


class Reading(faust.Record, include_metadata=False):
    sensor: int


TEXT = '{"sensor": 1}'
JSON = TEXT.encode()


def framed(content, schema=42):
    return b"\0" + schema.to_bytes(4, "big") + content


def said(value, framing=None):
    """The text of the dead letter."""
    batch, [(_, error)] = Decoder(Json(Reading, framing)).batch([record(value)])
    assert len(batch) == 0
    assert type(error) in (msgspec.DecodeError, msgspec.ValidationError)
    return str(error)


@pytest.mark.parametrize(
    ("value", "what", "remedy"),
    [
        (framed(JSON), "JSON in the Schema Registry's framing", "ORDERAPP_FRAMING"),
        (framed(JSON), "schema id 42", 'JSON'),
        (framed(JSON, 123), "schema id 123", "schema-registry"),
        (framed(JSON, 2**31 - 1), "schema id 2147483647", "schema-registry"),
        (framed(b"[]"), "JSON in the Schema Registry's framing", "plain JSON"),
        (framed(b"\x02\x0cabc"), "Avro or Protobuf in the Schema Registry's", "serializer"),
        (framed(b"\0\x08\x01"), "Avro or Protobuf in the Schema Registry's", "serializer"),
        (b"\xef\xbb\xbf" + JSON, "UTF-8 with a byte order mark", "leave it out"),
        (TEXT.encode("utf-16"), "UTF-16", "UTF-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16", "UTF-8"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a mark", "UTF-8"),
        (TEXT.encode("utf-16-be"), "UTF-16 without a mark", "UTF-8"),
        (TEXT.encode("utf-32"), "UTF-32", "UTF-8"),
        (b"\x00\x00\xfe\xff" + TEXT.encode("utf-32-be"), "UTF-32", "UTF-8"),
        (TEXT.encode("utf-32-le"), "UTF-32 without a mark", "UTF-8"),
        (TEXT.encode("utf-32-be"), "UTF-32 without a mark", "UTF-8"),
        (JSON + b"\n" + JSON + b"\n", "several JSON values", "a record for each"),
        (JSON + JSON, "several JSON values", "a record for each"),
        (b"[1]" + JSON, "several JSON values", "a record for each"),
        (b"[" + JSON + b"," + JSON + b"]", "a JSON array", "a record for each"),
        (b"  [", "a JSON array", "a record for each"),
        (json.dumps(TEXT).encode(), "JSON within a JSON string", "encode it once"),
        (gzip.compress(JSON, mtime=0), "compressed by gzip", "compression.type"),
        (zlib.compress(JSON), "compressed by zlib", "compression.type"),
        (bz2.compress(JSON), "compressed by bzip2", "compression.type"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed by zstd", "compression.type"),
        (b"\x04\x22\x4d\x18\x04", "compressed by lz4", "compression.type"),
        (b"\x82SNAPPY\x00\x00", "compressed by snappy", "compression.type"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro container file", "JSON"),
        (b"\xac\xed\x00\x05sr", "a serialized Java object", "JSON"),
        (pickle.dumps({"sensor": 1}, 5), "a Python pickle", "JSON"),
        (str({"sensor": 1}).encode(), "a Python dict", "json.dumps"),
        (b"\x1e" + JSON, "a JSON text sequence", "leave the record separators out"),
        (b"<reading/>", "XML", "JSON"),
        (base64.b64encode(JSON), "JSON in base64", "leave the base64 out"),
        (b'{"specversion": "1.0", "data": {"sensor": 1}}', "a CloudEvent", "binary mode"),
        (b'{"schema": null, "payload": {"sensor": 1}}', "Kafka Connect", "schemas.enable"),
        (b"", "an empty text", "write JSON"),
        (b" \n", "an empty text", "write JSON"),
    ],
)  # fmt: skip
def test_a_dead_letter_says_what_its_value_looks_like_and_what_to_do(value, what, remedy):
    text = said(value)

    assert text.startswith("the value looks like ")
    assert what in text
    assert remedy in text


@pytest.mark.parametrize(
    "value",
    [
        b"no JSON",
        b"{",
        b'{"sensor": "1"}',
        b"{}",
        b"null",
        b'"text"',
        b'{"sensor": 1} x',
        b"\0",
        b"\x80\x81",
        b"{" * 1_000_000,
    ],
    ids=range(10),
)
def test_what_looks_like_nothing_else_keeps_the_decoders_own_error(value):
    assert "looks like" not in said(value)


def test_an_error_names_the_decoders_reason_too():
    assert said(b"[1]").endswith("(Expected `object`, got `array`)")


def test_where_it_is_allowed_framed_json_is_read_and_plain_json_as_well():
    decoder = Decoder(Json(Reading, "schema-registry"))
    records = [
        record(framed(JSON)),
        record(JSON),
        record(framed(b"\x02x")),
        record(framed(b" " + JSON)),
    ]

    batch, bad = decoder.batch(records)

    assert [reading.sensor for reading in batch] == [1, 1, 1]
    assert [one.value for one, _ in bad] == [framed(b"\x02x")]
    assert "Avro or Protobuf" in str(bad[0][1])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{}", "Object missing required field `sensor`"),
        (b"[]", "the value looks like a JSON array"),
        (JSON * 2, "the value looks like several JSON values"),
    ],
)
def test_where_it_is_allowed_the_reason_is_that_of_what_is_framed(content, text):
    assert said(framed(content), "schema-registry").startswith(text)


def test_no_other_framing_is_known():
    with pytest.raises(ValueError, match="framing='avro' is not known: schema-registry"):
        Decoder(Json(Reading, "avro"))


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        (None, b""),
        (b"7", b"7"),
        (framed(b"7"), b"7"),
        (framed(b'"7"'), b"7"),
        (b'"7"', b"7"),
        (b"\0", b"\0"),
        (b"poison", b"poison"),
    ],
)
def test_a_key_is_read_as_serializers_write_it(key, plain):
    assert plain_key(key) == plain


@given(st.binary(max_size=100))
def test_any_bytes_are_looked_at_without_an_error_of_its_own(value):
    error = ValueError("no")

    assert "no" in str(explained(value, error))
    assert unframed(value) in (value, value[5:])
