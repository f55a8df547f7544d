"""What the errors of the Couchbase SDK mean to the caller of a store."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
from couchbase import exceptions as sdk

from orderapp.program import called
from orderapp.store import StoreRejected, StoreUnavailable

# Trying again would give the same answer. Everything else, known or not, counts as passing: an
# upsert may be repeated, and waiting loses no order, while giving up would.
_FATAL = (
    sdk.AuthenticationException,
    sdk.BucketDoesNotExistException,
    sdk.BucketNotFoundException,
    sdk.CollectionNotFoundException,
    sdk.DurabilityInvalidLevelException,
    sdk.FeatureUnavailableException,
    sdk.InvalidArgumentException,
    sdk.InvalidValueException,
    sdk.KeyspaceNotFoundException,
    sdk.ParsingFailedException,
    sdk.ScopeNotFoundException,
    sdk.UnsupportedOperation,
    sdk.ValueFormatException,
)
_WAY_OUT = {
    sdk.AuthenticationException: "; check COUCHBASE_USERNAME and COUCHBASE_PASSWORD",
    sdk.BucketNotFoundException: "; check COUCHBASE_BUCKET, and that the user may use it",
    sdk.DurabilityImpossibleException: (
        "; too few nodes have the bucket's replicas now, see COUCHBASE_DURABILITY"
    ),
}
_NO_RIGHT = 13014  # of the query service, for a user who has logged in
_VALUE_TOO_LARGE = 104  # has no class of its own in the SDK


def _is_fatal(error: sdk.CouchbaseException) -> bool:
    return isinstance(error, _FATAL) or error.error_code == _VALUE_TOO_LARGE


def worst(errors: Iterable[sdk.CouchbaseException]) -> sdk.CouchbaseException:
    """The one of a batch's errors that decides: a fatal one before a passing one."""
    return max(errors, key=_is_fatal)


@contextmanager
def translating(where: str) -> Iterator[None]:
    """Turn what the SDK raises into a `StoreError` of one line that begins with `where`."""
    try:
        yield
    except sdk.CouchbaseException as error:
        kind = StoreRejected if _is_fatal(error) else StoreUnavailable
        text = f"{where}: {_describe(error)}{_way_out(error)}"
        raise kind(text) from error
    except RuntimeError as error:  # the SDK's for a cluster that was closed meanwhile
        raise StoreUnavailable(f"{where}: {error}") from error
    except (msgspec.MsgspecError, OverflowError, UnicodeError) as error:
        raise StoreRejected(f"{where}: {error}") from error


def _lacks_right(error: sdk.CouchbaseException) -> bool:
    return getattr(error.error_context, "first_error_code", None) == _NO_RIGHT


def _way_out(error: sdk.CouchbaseException) -> str:
    if _lacks_right(error):
        return f"; `{called('couchbase indexes')}` shows what the user needs"
    return _WAY_OUT.get(type(error), "")


def _describe(error: sdk.CouchbaseException) -> str:
    """The error's name and reasons; its own text is a page, with statement and parameters."""
    name = type(error).__name__.removesuffix("Exception")
    if error.error_code == _VALUE_TOO_LARGE:
        name = "ValueTooLarge"
    elif _lacks_right(error):
        name = "MissingRole"
    context = error.error_context
    document = getattr(context, "key", None)
    reasons = [
        f"document {document}" if document else "",
        str(error.message or ""),
        str(getattr(context, "first_error_message", None) or ""),
        ", ".join(sorted(getattr(context, "retry_reasons", None) or ())),
    ]
    text = "; ".join(" ".join(reason.split()) for reason in reasons if reason)
    return f"{name} ({text})" if text else name
