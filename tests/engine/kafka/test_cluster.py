"""The cluster: secrets never show, and one that is away is no surprise."""

import pytest

from orderapp.engine.errors import TransientError
from orderapp.engine.kafka.cluster import METADATA_MAX_AGE_MS, Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec


def test_the_secret_never_shows():
    cluster = Cluster(("a:9092",), "key", "hush-hush")

    for text in (repr(cluster), str(cluster), repr(cluster.credentials)):
        assert "hush-hush" not in text


def test_a_cluster_without_a_key_is_plain():
    cluster = Cluster(("a:9092", "b:9092"))

    assert cluster.credentials is None
    assert cluster.client_options() == {
        "bootstrap_servers": ["a:9092", "b:9092"],
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }
    assert str(cluster) == "a:9092,b:9092"


async def test_a_cluster_that_is_away_names_every_server():
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1: .*127\.0\.0\.1:2: "):
        await Cluster(("127.0.0.1:1", "127.0.0.1:2")).prepare([TopicSpec("orders", 6)])
