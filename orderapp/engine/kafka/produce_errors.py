"""What an error of a send means: whether it may pass by itself, and what to mend if not.

Every class of `aiokafka.errors` is in one of the tables; a test notices new ones.
"""

from aiokafka import errors
from aiokafka.errors import (
    BrokerResponseError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.observe.texts import text_or_class


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """Kafka's error 87, which aiokafka does not know: -1 would be "unknown", and may pass."""

    errno = 87
    message = "INVALID_RECORD"
    description = "This record has failed the validation on the broker."


errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

#: A batch of several records that is refused with one of these is sent in smaller ones.
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

_RECORDS = "a record is larger than the topic's"
#: These stay until somebody mends something: what is wrong, and what to do.
REFUSED: dict[type[Exception], str] = {
    MessageSizeTooLargeError: f"{_RECORDS} max.message.bytes allows: raise it",
    RecordListTooLargeError: f"{_RECORDS} segment.bytes allows: raise it",
    errors.RecordTooLargeError: f"{_RECORDS} max.message.bytes allows: raise it",
    InvalidRecordError: "Kafka finds a record invalid for the topic (a compacted topic takes "
    "none without a key): set its cleanup.policy to delete",
    errors.CorruptRecordException: "Kafka finds a record invalid for the topic (a compacted "
    "topic takes none without a key): set its cleanup.policy to delete",
    errors.InvalidTimestampError: "the topic takes no record of this time: look at its "
    "message.timestamp.before.max.ms and message.timestamp.after.max.ms, and at the clocks",
    errors.InvalidTopicError: "Kafka takes no record for a topic of this name",
    errors.TopicAuthorizationFailedError: "Kafka does not allow WRITE on it: give the right",
    errors.ClusterAuthorizationFailedError: "Kafka does not allow this worker's user to write: "
    "give it the right IdempotentWrite on the cluster, or Write on the topic",
    errors.UnsupportedForMessageFormatError: "its message.format.version is too old for "
    "headers: raise it to that of the brokers",
    errors.UnsupportedVersionError: "this Kafka is too old for the records: upgrade it",
    errors.UnsupportedCodecError: "this Kafka does not take the compression of the records",
    errors.PolicyViolationError: "a policy of the cluster refuses the records: look at the "
    "brokers' logs",
    errors.InvalidRequiredAcksError: "Kafka does not take acks=all for it",
    errors.SecurityDisabled: "Kafka's security is switched off, but it is asked for",
    errors.ProducerFenced: "another producer has taken this one's place: restart this worker",
    errors.InvalidProducerEpoch: "another producer has taken this one's place: restart this "
    "worker",
}

#: Kafka is away, or on its way back. The watch says so, and readiness with it.
AWAY: frozenset[type[Exception]] = frozenset(
    {
        errors.NoBrokersAvailable,
        errors.NodeNotReadyError,
        errors.KafkaConnectionError,
        errors.KafkaTimeoutError,
        errors.KafkaUnavailableError,
        errors.RequestTimedOutError,
        errors.BrokerNotAvailableError,
        errors.StaleMetadata,
        errors.MetadataEmptyBrokerList,
        errors.Cancelled,
        errors.TooManyInFlightRequests,
        errors.KafkaProtocolError,
        errors.CorrelationIdError,
        errors.ProducerClosed,
    }
)

#: These may pass as well, and people have to know when they do not: what to look at.
LASTING: dict[type[Exception], str] = {
    errors.UnknownTopicOrPartitionError: "it does not exist: create it, or look who deleted it",
    errors.LeaderNotAvailableError: "it has no leader: look at the brokers",
    errors.NotLeaderForPartitionError: "it has no leader: look at the brokers, and whether the "
    "topic exists",
    errors.ReplicaNotAvailableError: "a replica is missing: look at the brokers",
    errors.NotEnoughReplicasError: "fewer replicas are in sync than its min.insync.replicas "
    "asks for: look at the brokers",
    errors.NotEnoughReplicasAfterAppendError: "fewer replicas are in sync than its "
    "min.insync.replicas asks for: look at the brokers",
    errors.KafkaStorageError: "a broker can't write to its disk: look at the brokers",
    errors.LogDirNotFound: "a broker has lost a disk: look at the brokers",
    errors.QuotaViolationError: "a quota is used up: look at the brokers' quotas",
    errors.AuthenticationFailedError: "Kafka does not accept this worker's user any more: look "
    "at its key and secret",
    errors.SaslAuthenticationFailed: "Kafka does not accept this worker's user any more: look "
    "at its key and secret",
}
_LOOK = "look at the brokers' logs; if it stays, restart this worker"


def place_of(topic: str, error: Exception) -> tuple[str, type[Exception]]:
    """What is blocked by an error: sends to a topic, as far as they meet it."""
    return topic, type(error)


def reason_for(topic: str, error: Exception) -> str:
    """What is wrong and what to do, in one line."""
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return str(forbidden("WRITE", "topic", topic))
    remedy = REFUSED.get(type(error)) or LASTING.get(type(error), _LOOK)
    return f"topic {topic!r}: {remedy} ({text_or_class(error)})"
