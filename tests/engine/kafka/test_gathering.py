import asyncio
from collections import OrderedDict
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState

from orderapp.engine.kafka.gathering import ENOUGH, MOST, Gathering

USUAL = (1, 500)
TPS = [TopicPartition("readings", number) for number in range(3)]


class Fetched:
    """Records of a partition that aiokafka has fetched and not unpacked."""

    def __init__(self, count):
        self.next_fetch_offset = 0
        self._count = count

    def __iter__(self):
        while self.next_fetch_offset < self._count:
            self.next_fetch_offset += 1
            yield ConsumerRecord(
                "", 0, self.next_fetch_offset, 0, 0, None, None, None, 0, 0, ()
            )


@pytest.fixture
async def fetcher():
    """aiokafka's own, without a client."""
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = USUAL
    fetcher._records, fetcher._wait_consume_future = OrderedDict(), None
    fetcher._subscriptions = SubscriptionState()
    fetcher._subscriptions.assign_from_user(TPS)
    return fetcher


@pytest.fixture
async def gathering(fetcher):
    return Gathering(SimpleNamespace(_fetcher=fetcher))


def asked(fetcher):
    return fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms


async def test_kafka_gathers_longer_the_more_partitions_have_brought_records(
    fetcher, gathering
):
    assert asked(fetcher) == USUAL
    gathering.came(TPS)
    assert asked(fetcher) == (ENOUGH, 3)
    gathering.came(TPS[:2])
    assert asked(fetcher) == (ENOUGH, 2)
    gathering.came([TopicPartition("readings", number) for number in range(1000)])
    assert asked(fetcher) == (ENOUGH, MOST)


async def test_after_a_pause_the_first_record_comes_at_once(fetcher, gathering):
    gathering.came(TPS[:1])
    gathering.came(TPS[:2])
    await asyncio.sleep(0.02)
    assert asked(fetcher) == USUAL


async def test_partitions_with_a_backlog_take_turns(fetcher, gathering):
    assignment = fetcher._subscriptions.subscription.assignment
    for tp, count in zip(TPS, (50, 20, 30), strict=True):
        assignment.state_value(tp).reset_to(0)
        fetched = Fetched(count)
        fetcher._records[tp] = FetchResult(
            tp, assignment=assignment, partition_records=fetched, backoff=0
        )
    taken = []
    while got := await fetcher.fetched_records([], max_records=10):
        gathering.came(got)
        taken += [(tp.partition, len(records)) for tp, records in got.items()]

    assert [n for n, _ in taken] == [0, 1, 2, 0, 1, 2, 0, 2, 0, 0]
    assert {count for _, count in taken} == {10}
