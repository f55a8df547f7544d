"""Settings of topics that exist already."""

import pytest

from orderapp.engine.kafka.topic_settings import broken

KEPT = {"cleanup.policy": "delete"}
FOREVER = {
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": "2097152",
    "cleanup.policy": "delete",
}
COMPACT = {"cleanup.policy": "compact"}
USUAL = {
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
}


@pytest.mark.parametrize(
    ("spec", "found", "replicas", "expected"),
    [
        (KEPT, {}, 1, {}),
        (FOREVER, FOREVER, 1, {}),
        (COMPACT, {"cleanup.policy": "compact", "retention.ms": "1"}, 1, {}),
        (KEPT, {"min.insync.replicas": "2"}, 3, {}),
        (FOREVER, {**FOREVER, "max.message.bytes": "9999999"}, 1, {}),
        (KEPT, {"cleanup.policy": "compact"}, 1, KEPT),
        (KEPT, {"cleanup.policy": "compact,delete"}, 1, KEPT),
        (COMPACT, {"cleanup.policy": "delete"}, 1, COMPACT),
        (KEPT, {"retention.ms": "3600000"}, 1, {"retention.ms": "86400000"}),
        (KEPT, {"retention.bytes": "1000"}, 1, {"retention.bytes": "16777216"}),
        (KEPT, {"max.message.bytes": "20000"}, 1, {"max.message.bytes": "1000000"}),
        (KEPT, {"min.insync.replicas": "2"}, 1, {"min.insync.replicas": "1"}),
        (KEPT, {"min.insync.replicas": "4"}, 3, {"min.insync.replicas": "2"}),
        (
            KEPT,
            {"unclean.leader.election.enable": "true"},
            1,
            {"unclean.leader.election.enable": "false"},
        ),
        (FOREVER, {"retention.ms": "3600000"}, 1, {"retention.ms": "-1"}),
        (FOREVER, {"retention.bytes": "9999999999"}, 1, {"retention.bytes": "-1"}),
        (FOREVER, {"max.message.bytes": "1048588"}, 1, {"max.message.bytes": "2097152"}),
        (FOREVER, {"cleanup.policy": "compact"}, 1, KEPT),
    ],
)
def test_what_breaks_a_promise_is_named_with_what_it_has_to_be(spec, found, replicas, expected):
    usual = {**USUAL, **(spec if spec is not KEPT else {})}

    assert dict(broken(spec, {**usual, **found}, replicas)) == expected
