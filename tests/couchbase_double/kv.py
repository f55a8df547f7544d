"""Memcached binary: how the SDK logs in, and the documents."""

import hashlib
import json
import math
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.couchbase_double.cluster import Cluster, Node
from tests.couchbase_double.faults import GET, OK, STATUSES
from tests.couchbase_double.scram import Scram, plain_is_right

HEADER = struct.Struct(">BBHBBHIIQ")
#: The same with a length of framing extras, of which durability is one.
FRAMED, PLAIN = 0x08, 0x80
FRAMED_HEADER = struct.Struct(">BBBBBBHIIQ")
DURABILITY_FRAME = 1

SET, ADD, REPLACE, DELETE, NOOP = 0x01, 0x02, 0x03, 0x04, 0x0A
HELLO, SASL_LIST, SASL_AUTH, SASL_STEP = 0x1F, 0x20, 0x21, 0x22
SELECT_BUCKET, GET_CONFIG, GET_COLLECTION_ID, GET_ERROR_MAP = 0x89, 0xB5, 0xBB, 0xFE

AUTH_CONTINUE, UNKNOWN_COMMAND, UNKNOWN_COLLECTION = 0x21, 0x81, 0x88
UNKNOWN_SCOPE = 0x8C
# XERROR, SELECT_BUCKET, JSON, unordered execution, framing extras, durable writes, collections.
FEATURES = {0x07, 0x08, 0x0B, 0x0E, 0x10, 0x11, 0x12}
JSON_FLAGS = 0x02000006  # the high byte is the common flag that every SDK reads
BEFORE_LOGIN = {HELLO, SASL_LIST, SASL_AUTH, SASL_STEP, GET_ERROR_MAP, NOOP}
ERROR_MAP = json.dumps({"version": 2, "revision": 1, "errors": {}}).encode()
#: Seconds; an expiry of more is a time.
MONTH = 30 * 24 * 3600
#: Seconds for a durable write that says nothing else.
DURABILITY_TIMEOUT = 30.0


class Request(NamedTuple):
    """One request, without its header."""

    opcode: int
    opaque: int
    frames: bytes
    extras: bytes
    key: bytes
    value: bytes
    #: The version of the document that is to be replaced; 0: whatever it is.
    cas: int = 0

    @property
    def durability(self) -> tuple[int, float]:
        """The level, and the seconds that the client waits for it."""
        at = 0
        while at < len(self.frames):
            kind, length = self.frames[at] >> 4, self.frames[at] & 0x0F
            if kind == DURABILITY_FRAME:
                frame = self.frames[at + 1 : at + 1 + length]
                seconds = int.from_bytes(frame[1:]) / 1000 if length > 1 else DURABILITY_TIMEOUT
                return frame[0], seconds
            at += 1 + length
        return 0, DURABILITY_TIMEOUT


class Conversation:
    """One client's connection; durable writes are answered (`later`) when they are durable."""

    def __init__(self, cluster: Cluster, node: Node, later: Callable[[bytes], None]) -> None:
        self.cluster, self.node = cluster, node
        self._later = later
        self._scram: Scram | None = None
        self._logged_in = self._collections = False
        self._bucket = ""

    def answer(self, received: bytearray) -> bytes:
        """Take the whole requests from `received` and give their answers."""
        buffer, start, out = bytes(received), 0, []
        while len(buffer) - start >= HEADER.size:
            magic = buffer[start]
            if magic == FRAMED:
                fields = FRAMED_HEADER.unpack_from(buffer, start)
                _, opcode, frames_len, key_len, ext_len, _, _, body_len, opaque, cas = fields
            else:
                fields = HEADER.unpack_from(buffer, start)
                _, opcode, key_len, ext_len, _, _, body_len, opaque, cas = fields
                frames_len = 0
            frames = start + HEADER.size
            end = frames + body_len
            if end > len(buffer):
                break
            extras = frames + frames_len
            key = extras + ext_len
            value = key + key_len
            request = Request(
                opcode, opaque, buffer[frames:extras], buffer[extras:key], buffer[key:value],
                buffer[value:end], cas,
            )  # fmt: skip
            answer = self._answer(request)
            if answer is not None:
                out.append(_packed(request, *answer))
            start = end
        del received[:start]
        return b"".join(out)

    def _answer(self, request: Request) -> tuple[int, bytes, bytes] | None:
        if request.opcode not in BEFORE_LOGIN and not self._logged_in:
            return STATUSES["NO_ACCESS"], b"", b""
        if request.opcode in (GET, SET, ADD, REPLACE, DELETE):
            return self._document(request)
        return self._manage(request.opcode, request.key, request.value)

    def _document(self, request: Request) -> tuple[int, bytes, bytes] | None:
        self.cluster.requests["kv"] += 1
        key = request.key
        if not self._bucket:
            return STATUSES["NO_BUCKET"], b"", b""
        if self._collections:
            if key[0] != self.cluster.collection_id:
                return UNKNOWN_COLLECTION, b"", b""
            key = key[1:]
        copies = self.cluster.copies
        if copies.chain[0] != self.node.number:
            config = self.cluster.config(self.node, with_bucket=True)
            return STATUSES["NOT_MY_PARTITION"], b"", config
        if status := self.cluster.faults.status_of(request.opcode, key):
            return status, b"", b""
        self._expire(key)
        if request.opcode == GET:
            found = copies.documents.get(key)
            if found is None:
                return STATUSES["NOT_FOUND"], b"", b""
            return OK, JSON_FLAGS.to_bytes(4), found
        return self._write(request, key)

    def _write(self, request: Request, key: bytes) -> tuple[int, bytes, bytes] | None:
        copies, faults = self.cluster.copies, self.cluster.faults
        level, seconds = request.durability
        status = copies.check(level, ephemeral=faults.ephemeral) or copies.busy(key)
        exists = key in copies.documents
        if not status and request.opcode == DELETE and not exists:
            status = STATUSES["NOT_FOUND"]
        elif not status and request.opcode == ADD and exists:
            status = STATUSES["EXISTS"]
        elif not status and request.opcode == REPLACE:
            status = self._mismatch(request, copies.documents.get(key))
        if not status and request.opcode != DELETE and request.extras[:1] != b"\x02":
            status = STATUSES["INVALID"]  # a query would not see it as JSON
        if status:
            return status, b"", b""
        value = None if request.opcode == DELETE else request.value
        self.cluster.expiries.pop(key, None)
        # Flags and seconds: of more than 30 days, of Unix time.
        if seconds_left := int.from_bytes(request.extras[4:8]):
            since = 0 if seconds_left > MONTH else time.time()
            self.cluster.expiries[key] = since + seconds_left
        answer = _Answer(partial(self._send, request))
        self.cluster.expiry_fields[key.decode()] = int.from_bytes(request.extras[4:8])
        copies.write(key, value, level, seconds, answer)
        return answer.first()

    def _expire(self, key: bytes) -> None:
        if self.cluster.expiries.get(key, math.inf) <= time.time():
            del self.cluster.expiries[key]
            self.cluster.copies.write(key, None, 0, 0, lambda _: None)

    def _mismatch(self, request: Request, found: bytes | None) -> int:
        if found is None:
            return STATUSES["NOT_FOUND"]
        return STATUSES["EXISTS"] if request.cas not in (0, cas_of(found)) else OK

    def _send(self, request: Request, status: int) -> None:
        self._later(_packed(request, status, b"", b""))

    def _manage(self, opcode: int, key: bytes, value: bytes) -> tuple[int, bytes, bytes]:
        if opcode == HELLO:
            asked = {int.from_bytes(value[i : i + 2]) for i in range(0, len(value), 2)}
            self._collections = 0x12 in asked
            return OK, b"", b"".join(f.to_bytes(2) for f in sorted(asked & FEATURES))
        if opcode == SASL_LIST:
            return OK, b"", self.cluster.faults.mechanisms.encode()
        if opcode in (SASL_AUTH, SASL_STEP):
            return self._login(opcode, key.decode(), value)
        if opcode == SELECT_BUCKET:
            if key.decode() != self.cluster.bucket:
                return STATUSES[self.cluster.faults.missing_bucket], b"", b""
            self._bucket = key.decode()
            return OK, b"", b""
        if opcode == GET_COLLECTION_ID:
            return self._collection(value.decode())
        answers = {
            NOOP: b"",
            GET_ERROR_MAP: ERROR_MAP,
            GET_CONFIG: self.cluster.config(self.node, with_bucket=bool(self._bucket)),
        }
        return (OK, b"", answers[opcode]) if opcode in answers else (UNKNOWN_COMMAND, b"", b"")

    def _collection(self, path: str) -> tuple[int, bytes, bytes]:
        scope, _, name = path.partition(".")
        asked = (scope or "_default", name or "_default")
        if asked != self.cluster.collection:
            same_scope = asked[0] == self.cluster.collection[0]
            return (UNKNOWN_COLLECTION if same_scope else UNKNOWN_SCOPE), b"", b""
        # The manifest's number, and the collection's.
        return OK, bytes(8) + self.cluster.collection_id.to_bytes(4), b""

    def _login(self, opcode: int, mechanism: str, value: bytes) -> tuple[int, bytes, bytes]:
        username, password = self.cluster.username, self.cluster.password
        self.cluster.logins.append(mechanism)
        if mechanism not in self.cluster.faults.mechanisms.split():
            return STATUSES["AUTH_ERROR"], b"", b""
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


class _Answer:
    """The status of a write, with the answers of its batch or later by itself."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._status: int | None = None
        self._is_late = False

    def __call__(self, status: int) -> None:
        if self._is_late:
            self._send(status)
        self._status = status

    def first(self) -> tuple[int, bytes, bytes] | None:
        """The answer, if it is there at once."""
        self._is_late = self._status is None
        return None if self._status is None else (self._status, b"", b"")


def cas_of(document: bytes) -> int:
    """The version of a document: a number that follows from what it holds."""
    return int.from_bytes(hashlib.sha256(document).digest()[:7]) + 1


def _packed(request: Request, status: int, extras: bytes, value: bytes) -> bytes:
    cas = cas_of(value) if request.opcode == GET and status == OK else 1
    header = HEADER.pack(
        0x81, request.opcode, 0, len(extras), 0, status, len(extras) + len(value),
        request.opaque, cas,
    )  # fmt: skip
    return header + extras + value
