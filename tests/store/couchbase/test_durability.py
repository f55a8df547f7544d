"""Writes that return when they are on enough nodes, and what happens when there are too few."""

import asyncio
import time
from dataclasses import replace

import pytest

from orderapp.couchbase_settings import DURABILITIES
from orderapp.store import StoreRejected, StoreUnavailable
from orderapp.store.couchbase import CouchbaseStore, connect, durability
from tests.couchbase_double import couchbase_double
from tests.store.examples import order

#: The numbers of the protocol.
LEVELS = ("none", "majority", "majorityAndPersistActive", "persistToMajority")


@pytest.fixture(scope="module")
def running_cluster():
    with couchbase_double("--nodes", "3", "--replicas", "1") as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster):
    running_cluster.heal()
    running_cluster.clear()
    running_cluster.set(replication_seconds=0.0, persist_seconds=0.0)
    return running_cluster


async def opened(double, level="majority"):
    store = CouchbaseStore(replace(double.settings, durability=level))
    await store.open()
    return store


async def error_of(awaitable, kind):
    with pytest.raises(kind) as caught:
        await awaitable
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_settings_are_the_levels_that_there_are():
    assert sorted(LEVELS) == sorted(DURABILITIES)
    assert all(isinstance(durability.write_options(level), dict) for level in DURABILITIES)


@pytest.mark.parametrize("level", LEVELS)
async def test_every_write_has_the_level_that_was_set(cluster, level):
    store = await opened(cluster, level)
    before = cluster.levels()
    await store.upsert([order(1), order(2)])
    await store.close()

    written = [now - then for now, then in zip(cluster.levels(), before, strict=True)]
    assert written == [2 if name == level else 0 for name in LEVELS]


@pytest.mark.parametrize(
    ("level", "replication", "persistence", "seconds"),
    [
        ("none", 60.0, 60.0, 0.0),
        ("majority", 0.3, 60.0, 0.3),
        ("majorityAndPersistActive", 0.0, 0.3, 0.3),
        ("persistToMajority", 0.3, 0.2, 0.5),
    ],
)
async def test_write_returns_when_it_is_on_enough_nodes(
    cluster, level, replication, persistence, seconds
):
    store = await opened(cluster, level)
    cluster.set(replication_seconds=replication, persist_seconds=persistence)
    start = time.monotonic()
    # 60 s would be an error.
    await store.upsert([order(i) for i in range(100)])
    took = time.monotonic() - start
    await store.close()

    assert took >= seconds


@pytest.mark.parametrize(
    ("nodes", "replicas", "is_possible"),
    [(1, 0, True), (1, 1, False), (2, 1, True), (2, 2, True), (1, 2, False), (4, 3, False)],
)
async def test_bucket_with_too_few_replicas_is_refused_at_the_start(
    nodes, replicas, is_possible
):
    with couchbase_double("--nodes", str(nodes), "--replicas", str(replicas)) as double:
        if is_possible:
            await (await opened(double)).close()
            return
        text = await error_of(opened(double), StoreRejected)
        store = await opened(double, "none")
        await store.upsert([order()])
        await store.close()
        assert double.count() == 1

    assert "COUCHBASE_DURABILITY=majority is not possible (DurabilityImpossible)" in text
    assert "set COUCHBASE_DURABILITY=none" in text


async def test_ephemeral_bucket_is_refused_for_what_needs_a_disk(double):
    double.inject(ephemeral=True)
    text = await error_of(opened(double, "persistToMajority"), StoreRejected)
    await (await opened(double)).close()

    assert "set COUCHBASE_DURABILITY=majority" in text


async def test_who_only_reads_needs_no_durability(double):
    double.inject(fail_sets=[["DURABILITY_IMPOSSIBLE", -1]])
    store = CouchbaseStore(double.settings, read_only=True)
    await store.open()
    assert await store.story(1) is None
    await store.close()


async def test_check_passes_over_what_may_pass(double):
    double.inject(fail_sets=[["NO_ACCESS", -1]])
    await (await opened(double)).close()

    assert double.count() == 0


async def test_worker_that_starts_while_a_replica_is_given_up_waits_for_it(cluster):
    await (await opened(cluster)).close()  # as it was before
    cluster.give_up_replica(1)
    store = await opened(cluster)
    text = await error_of(store.upsert([order(1)]), StoreUnavailable)
    assert "DurabilityImpossible" in text

    cluster.start()
    await store.upsert([order(1)])
    await store.close()
    assert cluster.count() == 1


async def test_bucket_that_never_gave_the_level_is_refused_whoever_is_away(cluster):
    cluster.give_up_replica(1)

    await error_of(opened(cluster), StoreRejected)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("DURABILITY_IMPOSSIBLE", "DurabilityImpossible"),
        ("SYNC_WRITE_AMBIGUOUS", "DurabilitySyncWriteAmbiguous"),
        ("SYNC_WRITE_IN_PROGRESS", "_sync_write_in_progress"),
        ("SYNC_WRITE_RE_COMMIT_IN_PROGRESS", "_sync_write_re_commit_in_progress"),
    ],
)
async def test_refused_durability_passes_and_the_write_is_tried_again(
    double, monkeypatch, status, name
):
    monkeypatch.setattr(connect, "KV_LIMIT", 0.5)
    store = await opened(double)
    double.inject(fail_keys={"2": status})
    text = await error_of(store.upsert([order(1), order(2)]), StoreUnavailable)
    double.heal()
    await store.upsert([order(1), order(2)])
    await store.close()

    assert name in text
    assert double.count() == 2


async def test_replica_that_dies_makes_writes_ambiguous_until_it_is_back(cluster, monkeypatch):
    monkeypatch.setattr(connect, "KV_LIMIT", 2.0)
    store = await opened(cluster)
    cluster.kill_replica(1)
    text = await error_of(store.upsert([order(1)]), StoreUnavailable)
    assert cluster.count() == 0
    cluster.start()
    await store.upsert([order(1)])
    await store.close()

    assert "Ambiguous" in text
    assert cluster.count() == 1


async def test_replica_that_is_given_up_makes_writes_impossible_until_it_is_back(cluster):
    store = await opened(cluster)
    cluster.give_up_replica(1)
    text = await error_of(store.upsert([order(1)]), StoreUnavailable)
    cluster.start()
    await store.upsert([order(1)])
    await store.close()

    assert "DurabilityImpossible" in text
    assert "replica" in text


@pytest.mark.parametrize(("level", "is_kept"), [("none", False), ("majority", True)])
async def test_failover_loses_what_was_acknowledged_only_without_durability(
    cluster, level, is_kept
):
    store = await opened(cluster, level)
    await store.upsert([order(0)])
    cluster.set(replication_seconds=0.4)
    await store.upsert([order(1)])
    cluster.fail_over()
    assert cluster.documents().keys() == ({"0", "1"} if is_kept else {"0"})

    cluster.start()
    await asyncio.wait_for(repeated(store, [order(2)]), 60)
    await store.close()
    assert "2" in cluster.documents()


async def repeated(store, documents):
    """Upsert as a service does it."""
    while True:
        try:
            return await store.upsert(documents)
        except StoreUnavailable:
            await asyncio.sleep(0.05)
