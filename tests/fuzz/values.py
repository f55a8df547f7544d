"""What the tests are fed with."""

import json

from hypothesis import strategies as st

#: Words of the contract, so that examples come near to what is allowed.
WORDS = (
    "order_id", "customer_id", "amount", "country", "created_at", "reason", "detected_at",
    "payment_id", "status", "paid_at", "attempts", "PAID", "DE", "2026-11-23T18:00:00Z",
    "attempt_times", "began", "ended", "failed",
    "2026-11-23T18:00:00.123456Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
)  # fmt: skip

numbers = st.one_of(
    st.integers(),
    st.integers(1000, 9999),
    st.floats(),
    st.sampled_from([2**53, 2**63, 2**64, 10**400, -1, -0.0, 1e308, 1e-400]),
)
texts = st.one_of(st.text(max_size=80), st.sampled_from(WORDS), st.datetimes().map(str))
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=9)), inner),
    ),
    max_leaves=12,
)


def as_json(value):
    """JSON as Python writes it: with NaN, Infinity and half characters."""
    return json.dumps(value, ensure_ascii=True).encode()


nested = st.builds(
    lambda opening, depth: opening * depth,
    st.sampled_from([b"[", b'{"order_id":', b'[{"a":']),
    st.integers(1, 200_000),
)
huge = st.builds(lambda n: b'{"order_id":' + b"9" * n + b"}", st.integers(1, 100_000))


def near(fields):
    """JSON objects with most of a message's fields: some are right, others are not."""
    right = {
        "order_id": st.integers(0, 2**53),
        "customer_id": st.integers(1000, 9999),
        "amount": st.floats(0, 1e6),
        "country": st.sampled_from(["US", "DE", "x" * 64, "é"]),
        "attempts": st.integers(0, 9),
        "attempt_times": st.lists(
            st.fixed_dictionaries({"began": texts, "ended": texts}), max_size=51
        ),
        "status": st.sampled_from(["PAID", "DECLINED"]),
    }
    kinds = {
        name: st.one_of(right.get(name, texts), right.get(name, texts), leaves)
        for name in fields
    }
    return st.fixed_dictionaries({}, optional=kinds) | st.fixed_dictionaries(kinds)


@st.composite
def damaged(draw, whole):
    """Bytes of which a piece was cut out, or other bytes were put in."""
    data = draw(whole)
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, len(data)))
    return data[:start] + draw(st.binary(max_size=8)) + data[end:]


def records(fields):
    """What may lie on a topic whose messages have these fields."""
    good = near(fields).map(as_json)
    return st.one_of(
        st.none(), good, good, damaged(good), trees.map(as_json), st.binary(), nested, huge
    )
