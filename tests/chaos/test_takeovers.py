"""How takeovers are measured: by what is paid after a fault, partition by partition."""

import math

from tests.chaos.diary import Diary, Event
from tests.chaos.observer import PARTITIONS, Observer
from tests.chaos.sent import Sent
from tests.chaos.takeovers import takeovers

SLOW = 3
KILL = Event("kill", "worker 1", start=100.0, end=103.0)


def seen(slow_partition_after):
    """An order before the fault and one after it in each partition; one partition is slow."""
    sent, observer = Sent(), Observer("nowhere")
    for partition in range(PARTITIONS):
        for order_id, moment in ((partition, 99.0), (partition + 10, 101.0)):
            sent.sent_at[order_id] = moment
            sent.confirm(order_id, partition)
        late = slow_partition_after if partition == SLOW else 1.5
        # A payment of an order from before the fault proves nothing.
        observer.arrivals.append((partition, 100.1))
        if late is not None:
            observer.arrivals.append((partition + 10, 100.0 + late))
    sent.sent_at[1000] = 200.0
    return sent, observer


def test_the_last_partition_counts():
    sent, observer = seen(11.0)

    [takeover] = takeovers("kill", Diary([KILL]), observer, sent)

    assert takeover.seconds == 11.0
    assert takeover.others == ()


def test_a_partition_that_nobody_works_on_is_never_taken_over():
    sent, observer = seen(None)

    [takeover] = takeovers("kill", Diary([KILL]), observer, sent)

    assert math.isinf(takeover.seconds)


def test_a_broker_that_is_away_meanwhile_is_named():
    sent, observer = seen(11.0)
    broker = Event("broker", "killed", start=105.0, end=110.0)
    burst = Event("poison", "30 records", start=105.0, end=105.0)
    long_ago = Event("store-hang", "for 6 s", start=10.0, end=16.0)

    diary = Diary([long_ago, KILL, burst, broker])
    [takeover] = takeovers("kill", diary, observer, sent)

    assert takeover.others == ("broker",)


def test_a_kill_after_the_last_order_shows_nothing():
    sent, observer = seen(11.0)
    late = Event("kill", "worker 1", start=300.0, end=301.0)

    assert takeovers("kill", Diary([late]), observer, sent) == []


def test_a_partition_that_came_later_was_nobodys():
    sent, observer = seen(11.0)
    sent.confirm(1000, PARTITIONS)
    observer.arrivals.append((1000, 201.0))

    [takeover] = takeovers("kill", Diary([KILL]), observer, sent)

    assert takeover.seconds == 11.0
