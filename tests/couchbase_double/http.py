"""HTTP: `POST /query/service`, and whether there is a bucket."""

import base64
import json
from urllib.parse import unquote

from tests.couchbase_double.cluster import Cluster
from tests.couchbase_double.query import QueryError


def answer(cluster: Cluster, received: bytearray) -> bytes:
    """Take one whole request from `received` and give its answer."""
    head, found, rest = bytes(received).partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
    length = int(fields.get("content-length", 0))
    if not found or len(rest) < length:
        return b""
    del received[: len(head) + 4 + length]
    cluster.requests["query"] += 1
    is_count = b"COUNT(*)" in rest[:length]
    if cluster.faults.hang_queries or (is_count and cluster.faults.hang_counts):
        return b""
    status, body = _query(cluster, lines[0], fields.get("authorization", ""), rest[:length])
    return (
        b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (status, len(body))
    ) + body


def _query(
    cluster: Cluster, request_line: str, authorization: str, body: bytes
) -> tuple[int, bytes]:
    method, path = request_line.split()[:2]
    if method == "GET":
        return _bucket(cluster, path)
    if path != "/query/service":
        return 404, b"{}"
    try:
        _check(cluster, authorization)
        rows = cluster.queries.answer(json.loads(body))
    except QueryError as error:
        problem = {"code": error.code, "msg": str(error)}
        answer = {"requestID": "1", "errors": [problem], "status": "fatal"}
        return error.status, json.dumps(answer).encode()
    return 200, (
        b'{"requestID":"1","signature":{"*":"*"},"results":[%s],"status":"success",'
        b'"metrics":{"elapsedTime":"1ms","executionTime":"1ms","resultCount":%d,'
        b'"resultSize":1}}' % (b",".join(rows), len(rows))
    )


def _bucket(cluster: Cluster, path: str) -> tuple[int, bytes]:
    """Management: a bucket's settings."""
    name = unquote(path.removeprefix("/pools/default/buckets/"))
    if name not in {cluster.bucket, *cluster.faults.buckets}:
        return 404, b"{}"
    settings = {
        "name": name,
        "uuid": "0123456789abcdef0123456789abcdef",
        "bucketType": "membase",
        "evictionPolicy": "valueOnly",
        "storageBackend": "couchstore",
        "durabilityMinLevel": "none",
        "conflictResolutionType": "seqno",
        "compressionMode": "passive",
        "maxTTL": 0,
        "replicaNumber": 0,
        "replicaIndex": False,
        "quota": {"ram": 100 << 20, "rawRAM": 100 << 20},
        "controllers": {},
        "nodes": [],
        "bucketCapabilities": ["collections"],
    }
    return 200, json.dumps(settings).encode()


def _check(cluster: Cluster, authorization: str) -> None:
    access = f"{cluster.username}:{cluster.password}".encode()
    if authorization != "Basic " + base64.b64encode(access).decode():
        raise QueryError(13014, "User does not have credentials to run queries.", 401)
    if cluster.faults.query_error:
        raise QueryError(*cluster.faults.query_error)
