"""Whatever comes in at the web port: no 5xx, nothing of the inside, and the next one is served.

`tests/web/test_contract_fuzz.py` sends well-formed requests; these are not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.e2e.worker import eventually
from tests.fuzz import few, raw
from tests.fuzz.values import as_json, damaged, near, nested, trees

PATHS = (
    b"/", b"/healthz", b"/readyz", b"/metrics", b"/docs", b"/openapi.json", b"/asyncapi.json",
    b"/api/stats", b"/api/analytics", b"/api/orders", b"/api/orders/7", b"/static/",
    b"/api/dead-letters", b"/api/dead-letters/3:1", b"/api/dead-letters/replay",
    b"/static/dashboard.css", b"/static/../views.py", b"/static/%2e%2e/views.py",
    b"/static/" + b"a" * 3000, b"/api/orders/" + b"9" * 5000, b"/api/orders/%00", b"//x/", b"*",
    b"http://localhost/healthz", b"http://[::1/", b"/%ff%fe", b"/static/%00", b"/static/%2f",
)  # fmt: skip
NAMES = (
    b"Accept", b"Accept-Encoding", b"Authorization", b"Connection", b"Content-Encoding",
    b"Content-Type", b"Cookie", b"Expect", b"Host", b"Idempotency-Key", b"If-Match",
    b"If-Modified-Since", b"If-None-Match", b"If-Range", b"Last-Event-ID", b"Origin", b"Range",
    b"Sec-Fetch-Site", b"Transfer-Encoding", b"Upgrade", b"traceparent", b"X-Forwarded-For",
)  # fmt: skip
VALUES = (
    b"application/json", b"application/json; charset=x", b"gzip", b"bytes=5-2", b"bytes=-0",
    b"bytes=9999999-", b"100-continue", b"websocket", b"localhost", b"localhost:99999",
    b"[::1", b"chunked", b"Mon, 99 Foo 99999 99:99:99 GMT", b'"x', b"W/", b"*", b"Bearer ",
    b"Bearer \xff", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"close", b"x" * 8000,
    b"same-origin", b"application/openmetrics-text; version=\xff", b"*/*;q=x",
)  # fmt: skip

line = st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))
methods = st.sampled_from(
    [b"GET", b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"BREW", b"get"]
)
targets = st.one_of(
    st.sampled_from(PATHS),
    damaged(st.sampled_from(PATHS)),
    st.builds(lambda path, query: path + b"?" + query, st.sampled_from(PATHS), st.one_of(
        line,
        st.builds(
            lambda name, value: name + b"=" + value,
            st.sampled_from([b"limit", b"after", b"country", b"status", b"", b"%ff"]),
            st.one_of(line, st.sampled_from([b"1", b"-1", b"9" * 5000, b"%00", b"%ed%a0%80"])),
        ),
    )),
)  # fmt: skip
headers = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(NAMES), line), st.one_of(st.sampled_from(VALUES), line)
    ).map(b": ".join),
    max_size=5,
)
bodies = st.one_of(
    st.just(b""),
    near(["customer_id", "amount", "country"]).map(as_json),
    near(["places", "everything", "since", "dry_run"]).map(as_json),
    damaged(near(["customer_id", "amount", "country"]).map(as_json)),
    trees.map(as_json),
    st.binary(max_size=200),
    nested,
)


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    with raw.views(tmp_path_factory.mktemp("views")) as running:
        for path in PATHS:
            running.throw(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        running.check_memory()
        yield running
        running.check_memory()


@few(700)
@given(methods, targets, headers, bodies)
@example(b"GET", b"/static/" + b"a" * 3000, [], b"")
@example(b"GET", b"/healthz", [b"Expect: miracles"], b"")
@example(b"GET", b"/healthz", [b"Expect: \x80"], b"")
@example(b"GET", b"/healthz", [b"Authorization: Bearer \x01"], b"")
@example(b"POST", b"/api/orders", [b"Origin: http://["], b"{}")
@example(b"POST", b"/api/orders", [b"Origin: http://[::1"], b"{}")
@example(b"GET", b"/metrics", [b"Accept: text/plain;version=x"], b"")
@example(b"GET", b"/metrics", [b"Accept: application/openmetrics-text;version=abc"], b"")
@example(b"POST", b"/api/orders", [b"Content-Type: application/json"], b"[" * 60_000)
@example(b"POST", b"/api/orders", [b"Content-Type: application/json"], b"[" * 70_000)
def test_no_request_breaks_a_view(views, method, target, headers, body):
    target = target.replace(b"/api/events", b"/api/event")  # a stream has no end
    lines = [b"Host: localhost", b"Connection: close", *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    head = b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines])

    answer = views.ask(head + b"\r\n\r\n" + body)

    if answer is not None:
        answer.check(method, target)
    views.check_alive()


@few(300)
@given(st.one_of(st.binary(max_size=400), damaged(st.just(raw.HEALTH * 3))), st.booleans())
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", True)
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True)
@example(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, True)
@example(b"A" * 2_000_000, True)
def test_bytes_that_are_no_http_harm_nobody(views, data, ended):
    views.throw(data + b"\r\n\r\n" * ended)
    views.check_alive()


def test_a_conversation_broken_off_anywhere_harms_nobody(views):
    whole = (
        b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 52\r\n\r\n{"customer_id": 1234, "amount": 5, "country": "DE"}  '
    )
    for end in range(0, len(whole), 3):
        views.throw(whole[:end])
    eventually(lambda: views.counted("POST", "/api/orders", 499), "those who left are counted")
    views.check_alive()
