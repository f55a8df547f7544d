import asyncio
from types import SimpleNamespace

import pytest

from orderapp.engine.kafka.gathering import ENOUGH, MOST, Gathering

USUAL = (1, 500)


@pytest.fixture
def fetcher():
    return SimpleNamespace(_fetch_min_bytes=USUAL[0], _fetch_max_wait_ms=USUAL[1])


def asked(fetcher):
    return fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms


async def test_kafka_gathers_longer_the_more_partitions_have_brought_records(fetcher):
    gathering = Gathering(SimpleNamespace(_fetcher=fetcher))
    assert asked(fetcher) == USUAL
    gathering.came(3)
    assert asked(fetcher) == (ENOUGH, 3)
    gathering.came(5)
    assert asked(fetcher) == (ENOUGH, 5)
    gathering.came(1000)
    assert asked(fetcher) == (ENOUGH, MOST)


async def test_after_a_pause_the_first_record_comes_at_once(fetcher):
    gathering = Gathering(SimpleNamespace(_fetcher=fetcher))
    gathering.came(1)
    gathering.came(2)
    await asyncio.sleep(0.02)
    assert asked(fetcher) == USUAL
