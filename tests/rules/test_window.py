"""Windows: what a rule knows of a customer follows from the log, wherever reading begins."""

import sys
from contextlib import contextmanager
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from orderapp import window
from orderapp.models import Order
from orderapp.window import Window, Windows

SECONDS = 10
#: Order id, customer id and timestamp in ms: few of each, so that they meet.
records = st.tuples(
    st.integers(1, 12), st.integers(1000, 1002), st.integers(0, 25).map(lambda s: s * 1000)
)
logs = st.lists(records, max_size=40)


def order(order_id, customer_id=1234, amount=10.0):
    return Order(order_id=order_id, customer_id=customer_id, amount=amount, country="DE")


def read(log, windows=None, lengths=(SECONDS,)):
    windows = Windows(SECONDS) if windows is None else windows  # an empty one is false
    orders = [order(order_id, customer_id) for order_id, customer_id, _ in log]
    found = windows.see(orders, [at for _, _, at in log], lengths)
    return [list(of_one) for of_one in zip(*found, strict=True)]


def ids(found):
    return [None if one is None else sorted((s.order_id, s.at) for s in one) for one in found]


def expected(log, at, seconds=SECONDS):
    """The window of the record at this index, by its definition."""
    order_id, customer, time = log[at]
    since = max(t for _, _, t in log[: at + 1]) - seconds * 1000

    def latest(part):
        times = {}
        for oid, c, t in part:
            if c == customer:
                times[oid] = max(t, times.get(oid, t))
        return {oid: t for oid, t in times.items() if t > since}

    if order_id in latest(log[:at]):
        return None
    return sorted(latest(log[: at + 1]).items()) if time > since else [(order_id, time)]


@contextmanager
def room(of_one, of_all):
    with mock.patch.multiple(window, MOST_OF_ONE=of_one, MOST=of_all):
        yield


@given(logs)
@example([(1, 1000, 0), (1, 1000, 9_000), (2, 1000, 12_000)])
def test_a_window_is_what_its_definition_says(log):
    found = [*zip(*read(log, lengths=(SECONDS, 3)), strict=True)] or [(), ()]

    for of_a_length, seconds in zip(found, (SECONDS, 3), strict=True):
        assert ids(of_a_length) == [expected(log, at, seconds) for at in range(len(log))]
        for one in filter(None, of_a_length):
            assert [seen.at for seen in one] == sorted(seen.at for seen in one)


@given(logs, st.integers(0, 40), st.integers(1, 12), st.integers(1, 12))
@example([(1, 1000, 0), (1, 1000, 9_000), (2, 1000, 12_000)], 2, 12, 12)
def test_the_records_of_the_last_window_build_it_again(log, cut, of_one, of_all):
    cut = min(cut, len(log))
    since = log[cut][2] - SECONDS * 1000 + 1 if cut < len(log) else 0
    # What `begins_at` finds: the first record with this time or a later one.
    begin = next((at for at, one in enumerate(log[:cut]) if one[2] >= since), cut)

    with room(of_one, of_all):
        whole = read(log)[cut:]
        anew = Windows(SECONDS)
        read(log[begin:cut], anew)

        assert read(log[cut:], anew) == whole


@given(logs, st.integers(1, 5), st.integers(1, 8))
def test_without_room_the_latest_are_kept(log, of_one, of_all):
    with room(of_one, of_all):
        windows = Windows(SECONDS)
        for n, one in enumerate(log, start=1):
            read([one], windows)
            times = {}
            for oid, customer, at in log[:n]:
                times[customer, oid] = max(at, times.get((customer, oid), at))
            since = max(at for _, _, at in log[:n]) - SECONDS * 1000
            kept = []
            for customer in {customer for customer, _ in times}:
                own = [(at, oid) for (c, oid), at in times.items() if c == customer]
                kept += sorted(one for one in own if one[0] > since)[-of_one:]
            found = [
                one.at
                for own in windows._customers.values()
                for one in own.values()
                if one.at > since
            ]
            assert sorted(found) == sorted(at for at, _ in sorted(kept)[-of_all:])
            assert len(windows) <= of_all


def test_an_order_that_comes_twice_counts_once_and_is_judged_once():
    first, again, other = read([(1, 1000, 1000), (1, 1000, 1000), (2, 1000, 2000)])

    assert (len(first[0]), again, len(other[0])) == (1, [None], 2)


def test_an_order_that_comes_too_late_is_alone():
    *_, late = read([(1, 1000, 20_000), (2, 1000, 20_000), (3, 1000, 10_000)])

    assert ids(late) == [[(3, 10_000)]]


def test_a_window_holds_the_latest_orders_of_a_customer_at_most():
    log = [(n, 1000, n) for n in range(1, window.MOST_OF_ONE + 11)]

    last = read(log)[-1][0]

    assert (last[0].order_id, len(last)) == (11, window.MOST_OF_ONE)


def test_what_is_dropped_for_want_of_room_is_told():
    with room(10, 2):
        windows = Windows(SECONDS)
        read([(n, 1000 + n, n) for n in range(5)], windows)

    assert (len(windows), windows.dropped) == (2, 3)


def test_a_full_window_drops_the_oldest_one_by_one_whatever_comes_in_between():
    log = [(n, 1000 + n % 5, 5_000 + n) for n in range(8)]
    late = [(50 + n, 1000, 5_900 - 100 * n) for n in range(4)]
    with room(100, 4):
        windows = Windows(SECONDS)
        read([*log, *late, (99, 1001, 6_000), (98, 1001, 4_000)], windows)

    kept = [one for own in windows._customers.values() for one in own.values()]
    assert sorted(one.at for one in kept) == [5_700, 5_800, 5_900, 6_000]
    assert windows._in_seconds == len(windows) == 4


def test_the_memory_does_not_grow_with_a_customer_of_many_orders():
    windows = Windows(3600)
    with room(3, 100):
        read([(n, 1000, n) for n in range(20_000)], windows)

    assert len(windows) == 3
    assert windows._in_seconds < 2_000


def test_an_order_of_a_customer_takes_few_bytes():
    windows = Windows(3600)
    read([(n, n, 1_700_000_000_000 + n) for n in range(1000)], windows)

    seen = windows._customers[7][7]
    own = sum(map(sys.getsizeof, (seen, seen.order_id, seen.at, seen.amount)))
    # An entry of two dictionaries, one of them its own, and one of the queue.
    assert own + sys.getsizeof(windows._customers[7]) + 200 < 600


def test_a_window_is_a_tuple():
    assert isinstance(read([(1, 1000, 0)])[0][0], Window)
