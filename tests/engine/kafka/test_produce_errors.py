"""Every error of aiokafka's is known: it may pass, or somebody has to mend something."""

import aiokafka.errors
import pytest
from aiokafka.errors import KafkaError, for_code

from orderapp.engine.kafka.produce_errors import (
    AWAY,
    LASTING,
    REFUSED,
    TOO_LARGE,
    InvalidRecordError,
    reason_for,
)

#: Answers to other requests than a send. Should one come all the same, it is tried again, and
#: told when it lasts.
NO_ANSWER_TO_A_SEND = {
    "AuthenticationMethodNotSupported",
    "BrokerResponseError",
    "CommitFailedError",
    "ConcurrentTransactions",
    "DelegationTokenAuthDisabled",
    "DelegationTokenAuthorizationFailed",
    "DelegationTokenExpired",
    "DelegationTokenNotFound",
    "DelegationTokenOwnerMismatch",
    "DelegationTokenRequestNotAllowed",
    "DuplicateSequenceNumber",
    "FetchSessionIdNotFound",
    "GroupAuthorizationFailedError",
    "GroupCoordinatorNotAvailableError",
    "GroupIdNotFound",
    "GroupLoadInProgressError",
    "IllegalArgumentError",
    "IllegalGenerationError",
    "IllegalSaslStateError",
    "IllegalStateError",
    "InconsistentGroupProtocolError",
    "IncompatibleBrokerVersion",
    "InvalidCommitOffsetSizeError",
    "InvalidConfigurationError",
    "InvalidFetchRequestError",
    "InvalidFetchSessionEpoch",
    "InvalidGroupIdError",
    "InvalidPartitionsError",
    "InvalidPrincipalType",
    "InvalidProducerIdMapping",
    "InvalidReplicationAssignmentError",
    "InvalidReplicationFactorError",
    "InvalidRequestError",
    "InvalidSessionTimeoutError",
    "InvalidTransactionTimeout",
    "InvalidTxnState",
    "KafkaConfigurationError",
    "KafkaError",
    "ListenerNotFound",
    "MemberIdRequired",
    "NoError",
    "NoOffsetForPartitionError",
    "NonEmptyGroup",
    "NotControllerError",
    "NotCoordinatorForGroupError",
    "OffsetMetadataTooLargeError",
    "OffsetOutOfRangeError",
    "OperationNotAttempted",
    "OutOfOrderSequenceNumber",
    "ReassignmentInProgress",
    "RebalanceInProgressError",
    "StaleControllerEpochError",
    "StaleLeaderEpochCodeError",
    "TopicAlreadyExistsError",
    "TransactionCoordinatorFenced",
    "TransactionalIdAuthorizationFailed",
    "UnknownError",
    "UnknownMemberIdError",
    "UnknownProducerId",
    "UnrecognizedBrokerVersion",
    "UnsupportedSaslMechanismError",
}


def names(classes):
    return {error.__name__ for error in classes}


def test_all_errors_of_aiokafka_are_in_one_of_the_tables():
    found = {
        value.__name__
        for value in vars(aiokafka.errors).values()
        if isinstance(value, type) and issubclass(value, KafkaError)
    }

    tables = names(REFUSED) | names(AWAY) | names(LASTING) | NO_ANSWER_TO_A_SEND

    assert tables - {"InvalidRecordError"} == found


def test_no_error_is_in_two_tables():
    tables = [names(REFUSED), names(AWAY), names(LASTING), NO_ANSWER_TO_A_SEND]

    assert sum(map(len, tables)) == len(set.union(*tables))


def test_kafkas_code_for_an_invalid_record_is_not_an_unknown_error():
    assert for_code(87) is InvalidRecordError
    assert REFUSED[for_code(87)]


@pytest.mark.parametrize("error", TOO_LARGE)
def test_what_is_too_large_names_the_setting_of_the_topic(error):
    assert ".bytes" in REFUSED[error]


def test_what_is_not_in_the_tables_may_pass():
    class NewError(KafkaError):
        pass

    assert NewError not in REFUSED
    assert "brokers" in reason_for("t", NewError())


@pytest.mark.parametrize("error", [*REFUSED, *LASTING])
def test_every_reason_names_the_topic(error):
    assert "'readings'" in reason_for("readings", error())
