"""Where Kafka's usual partitioner puts a key."""

from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import DefaultPartitioner, murmur2

_of_no_key = DefaultPartitioner()


def partition_of(key: bytes | None, partitions: Sequence[int]) -> int:
    """Which of a topic's partitions (all of them, sorted)."""
    if key is None:
        found: int = _of_no_key(key, partitions, partitions)
        return found
    return partitions[_hash(key) % len(partitions)]


# In Python it takes longer than all else of a send; few keys come again and again.
@lru_cache(maxsize=20_000)
def _hash(key: bytes) -> int:
    found: int = murmur2(key) & 0x7FFFFFFF
    return found
