"""What Kafka does not allow, and what aiokafka makes of its answers."""

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    KafkaConnectionError,
    KafkaError,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    for_code,
    kafka_errors,
)

from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.membership import (
    FencedInstanceIdError,
    GroupMaxSizeReachedError,
    Membership,
)
from orderapp.engine.kafka.rights import (
    ForbiddenError,
    cause_of,
    forbidden,
    translated,
    until_allowed,
)
from orderapp.engine.observe.blocked import blocked


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KafkaError("it broke"), KafkaError),
        (InvalidGroupIdError(), InvalidGroupIdError),
        # As aiokafka raises what it does not expect.
        (KafkaError(repr(for_code(81)())), GroupMaxSizeReachedError),
        (KafkaError(f"Unexpected exception: {for_code(82)()!r}"), FencedInstanceIdError),
        (KafkaError(repr(TopicAuthorizationFailedError())), TopicAuthorizationFailedError),
    ],
)
def test_the_cause_is_found_where_aiokafka_hides_it(error, cause):
    assert cause_of(error) is cause


def test_the_line_names_operation_and_topics():
    text = str(forbidden("READ", "topic", "b", "a"))

    assert "READ on topic 'a', 'b'" in text
    assert "--operation READ --topic a --topic b" in text


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (KafkaConnectionError("gone"), TransientError, "gone"),
        (TimeoutError(), TransientError, "TimeoutError"),
        (TopicAuthorizationFailedError("x"), ForbiddenError, "DESCRIBE on topic 'orders'"),
        (GroupAuthorizationFailedError("g"), ForbiddenError, "READ on group 'g'"),
    ],
)
def test_errors_of_questions_pass_or_are_a_right_that_is_missing(error, kind, words):
    found = translated(error, "DESCRIBE", ["orders"], "g")

    assert isinstance(found, kind)
    assert words in str(found)


async def test_a_right_is_waited_for(monkeypatch):
    monkeypatch.setattr("orderapp.engine.kafka.rights.RETRY_SECONDS", 0)
    seen = []

    async def attempt():
        seen.append(list(blocked.reasons))
        if len(seen) < 3:
            raise forbidden("CREATE", "topic", "t")

    await until_allowed("start", attempt)

    assert [len(reasons) for reasons in seen] == [0, 1, 1]
    assert "start" not in blocked


class Judge(Membership):
    """One without a consumer."""

    def __init__(self):
        self._group, self._session, self._instance = "g", 6.0, "one"


@pytest.mark.parametrize(
    ("error", "is_fatal", "words"),
    [
        (InvalidSessionTimeoutError(), True, "ORDERAPP_SESSION_TIMEOUT"),
        (InvalidGroupIdError(), True, "name"),
        (FencedInstanceIdError(), True, "'one'"),
        (InconsistentGroupProtocolError(), False, "kafka-consumer-groups"),
        (GroupMaxSizeReachedError(), False, "group.max.size"),
        (GroupAuthorizationFailedError("g"), False, "READ on group 'g'"),
        (KafkaError(repr(GroupMaxSizeReachedError())), False, "group.max.size"),
    ],
)
def test_what_keeps_a_worker_out_is_said_with_the_way_out(error, is_fatal, words):
    verdict = Judge().judge(error)

    assert isinstance(verdict, FatalError) is is_fatal
    assert words in str(verdict)
    assert "'g'" in str(verdict)


def test_every_other_error_is_tried_again():
    known = {
        InvalidSessionTimeoutError,
        InvalidGroupIdError,
        FencedInstanceIdError,
        InconsistentGroupProtocolError,
        GroupMaxSizeReachedError,
        GroupAuthorizationFailedError,
    }
    others = [error for error in kafka_errors.values() if error not in known]

    assert RebalanceInProgressError in others
    assert [Judge().judge(error()) for error in others] == [None] * len(others)
