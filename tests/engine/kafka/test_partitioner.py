"""Keys go where Kafka's usual partitioner puts them."""

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner

from orderapp.engine.kafka.partitioner import partition_of

usual = DefaultPartitioner()


@pytest.mark.parametrize("count", [1, 3, 6, 97])
def test_a_key_goes_where_the_client_puts_it(count):
    rng = random.Random(7)
    keys = [b"", b"1234", *(rng.randbytes(rng.randrange(20)) for _ in range(500))]
    numbers = [*range(count)]

    for _ in range(2):  # the second time from memory
        assert [partition_of(key, numbers) for key in keys] == [
            usual(key, numbers, numbers) for key in keys
        ]


def test_no_key_goes_anywhere():
    assert {partition_of(None, [0, 1]) for _ in range(200)} == {0, 1}
