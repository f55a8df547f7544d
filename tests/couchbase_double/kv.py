"""Memcached binary: how the SDK logs in, and the documents."""

import json
import struct

from tests.couchbase_double.node import GET, OK, STATUSES, Node
from tests.couchbase_double.scram import MECHANISMS, Scram, plain_is_right

HEADER = struct.Struct(">BBHBBHIIQ")
SET, ADD, DELETE, NOOP = 0x01, 0x02, 0x04, 0x0A
HELLO, SASL_LIST, SASL_AUTH, SASL_STEP = 0x1F, 0x20, 0x21, 0x22
SELECT_BUCKET, GET_CONFIG, GET_COLLECTION_ID, GET_ERROR_MAP = 0x89, 0xB5, 0xBB, 0xFE

AUTH_CONTINUE, UNKNOWN_COMMAND, UNKNOWN_COLLECTION = 0x21, 0x81, 0x88
# XERROR, SELECT_BUCKET, JSON, unordered execution, collections.
FEATURES = {0x07, 0x08, 0x0B, 0x0E, 0x12}
JSON_FLAGS = 0x02000006  # the high byte is the common flag that every SDK reads
BEFORE_LOGIN = {HELLO, SASL_LIST, SASL_AUTH, SASL_STEP, GET_ERROR_MAP, NOOP}
ERROR_MAP = json.dumps({"version": 2, "revision": 1, "errors": {}}).encode()


class Conversation:
    """One client's connection; requests are answered in their order."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._scram: Scram | None = None
        self._logged_in = self._collections = False
        self._bucket = ""

    def answer(self, received: bytearray) -> bytes:
        """Take the whole requests from `received` and give their answers."""
        buffer, start, out = bytes(received), 0, []
        while len(buffer) - start >= HEADER.size:
            _, opcode, key_len, ext_len, _, _, body_len, opaque, _ = HEADER.unpack_from(
                buffer, start
            )
            body = start + HEADER.size
            end = body + body_len
            if end > len(buffer):
                break
            extras, key = body + ext_len, body + ext_len + key_len
            status, answer_extras, value = self._answer(
                opcode, buffer[body:extras], buffer[extras:key], buffer[key:end]
            )
            out.append(
                HEADER.pack(
                    0x81, opcode, 0, len(answer_extras), 0, status,
                    len(answer_extras) + len(value), opaque, 1,
                )
            )  # fmt: skip
            out.append(answer_extras)
            out.append(value)
            start = end
        del received[:start]
        return b"".join(out)

    def _answer(
        self, opcode: int, extras: bytes, key: bytes, value: bytes
    ) -> tuple[int, bytes, bytes]:
        if opcode not in BEFORE_LOGIN and not self._logged_in:
            return STATUSES["NO_ACCESS"], b"", b""
        if opcode in (GET, SET, ADD, DELETE):
            return self._document(opcode, extras, key, value)
        return self._manage(opcode, key, value)

    def _document(
        self, opcode: int, extras: bytes, key: bytes, value: bytes
    ) -> tuple[int, bytes, bytes]:
        self.node.requests["kv"] += 1
        if not self._bucket:
            return STATUSES["NO_BUCKET"], b"", b""
        if self._collections:
            if key[:1] != b"\0":  # the id of the default collection
                return UNKNOWN_COLLECTION, b"", b""
            key = key[1:]
        if status := self.node.faults.status_of(opcode, key):
            return status, b"", b""
        documents = self.node.documents
        if opcode in (GET, DELETE) and key not in documents:
            return STATUSES["NOT_FOUND"], b"", b""
        if opcode == GET:
            return OK, JSON_FLAGS.to_bytes(4), documents[key]
        if opcode == DELETE:
            del documents[key]
        elif opcode == ADD and key in documents:
            return STATUSES["EXISTS"], b"", b""
        elif extras[:1] != b"\x02":
            return STATUSES["INVALID"], b"", b""  # a query would not see it as JSON
        else:
            documents[key] = value
        return OK, b"", b""

    def _manage(self, opcode: int, key: bytes, value: bytes) -> tuple[int, bytes, bytes]:
        if opcode == HELLO:
            asked = {int.from_bytes(value[i : i + 2]) for i in range(0, len(value), 2)}
            self._collections = 0x12 in asked
            return OK, b"", b"".join(f.to_bytes(2) for f in sorted(asked & FEATURES))
        if opcode == SASL_LIST:
            return OK, b"", MECHANISMS.encode()
        if opcode in (SASL_AUTH, SASL_STEP):
            return self._login(opcode, key.decode(), value)
        if opcode == SELECT_BUCKET:
            if key.decode() != self.node.bucket:
                return STATUSES["NO_ACCESS"], b"", b""
            self._bucket = key.decode()
            return OK, b"", b""
        if opcode == GET_COLLECTION_ID:
            known = value in (b"_default._default", b"._default", b".")
            return (OK, bytes(12), b"") if known else (UNKNOWN_COLLECTION, b"", b"")
        answers = {
            NOOP: b"",
            GET_ERROR_MAP: ERROR_MAP,
            GET_CONFIG: self.node.config(with_bucket=bool(self._bucket)),
        }
        return (OK, b"", answers[opcode]) if opcode in answers else (UNKNOWN_COMMAND, b"", b"")

    def _login(self, opcode: int, mechanism: str, value: bytes) -> tuple[int, bytes, bytes]:
        username, password = self.node.username, self.node.password
        if mechanism == "PLAIN":
            self._logged_in = plain_is_right(value, username, password)
        elif opcode == SASL_AUTH:
            self._scram = Scram(mechanism, username, password)
            return AUTH_CONTINUE, b"", self._scram.first(value)
        elif self._scram is not None:
            final = self._scram.final(value)
            self._logged_in = final is not None
            return (OK, b"", final) if final is not None else (STATUSES["AUTH_ERROR"], b"", b"")
        return (OK if self._logged_in else STATUSES["AUTH_ERROR"]), b"", b""
