"""What the store keeps: one document for each order, alert, payment and dead letter.

Every document has exactly one writer and an id computed from the order id alone, what a rule
has found from its reason too, so that any write may be repeated. msgspec writes the class's tag
as ``type``.
"""

import msgspec


class Document(msgspec.Struct, tag_field="type", frozen=True, gc=False):
    """A record as it arrived, with its place in Kafka."""

    order_id: int
    kafka_partition: int
    kafka_offset: int

    @property
    def id(self) -> str:
        """The document id: ``<type>::<order id>``."""
        return f"{self.__struct_config__.tag}::{self.order_id}"

    def after(self, before: "Document | None") -> "Document":
        """What to store in place of `before`."""
        return self


class OrderDocument(Document, tag="order", frozen=True):
    """An order; document id ``str(order_id)``."""

    customer_id: int
    amount: float
    country: str
    created_at: str
    #: When Kafka took the record, in ms of Unix time.
    kafka_timestamp: int = 0
    #: When analytics wrote it; a repeated write changes it.
    stored_at: str = ""
    #: 32 hex digits, or empty when the order came without a trace.
    trace_id: str = ""

    @property
    def id(self) -> str:
        return str(self.order_id)


class Finding(Document, frozen=True):
    """What a rule has found; document id ``<type>::<order id>::<reason>``. An order has one for
    each rule that has found it."""

    reason: str
    amount: float
    country: str
    customer_id: int
    detected_at: str
    #: The order's, to list alerts by.
    created_at: str = ""
    kafka_timestamp: int = 0
    #: 0: not known.
    rule_version: int = 0
    detail: str = ""

    @property
    def id(self) -> str:
        return f"{super().id}::{self.reason}"


class AlertDocument(Finding, tag="alert", frozen=True):
    """A fraud alert."""


class ShadowDocument(Finding, tag="shadow", frozen=True):
    """What a rule in the shadow has found: no alert."""

    #: Instead: an active rule with a window could not judge the order, `detail` says why.
    failed: bool = False


class PaymentDocument(Document, tag="payment", frozen=True):
    """A payment; document id ``payment::<order id>``."""

    payment_id: str
    status: str
    amount: float
    paid_at: str
    #: How often the gateway was asked until it answered.
    attempts: int = 1
    #: The order's, to list and count payments by.
    country: str = ""
    created_at: str = ""
    kafka_timestamp: int = 0
    #: When its attempts, or the last ones, began and ended, as intervals of ISO 8601 with a
    #: space between; empty for a single attempt, and where it is not known.
    attempt_times: str = ""


class DeadLetterDocument(Document, tag="dead-letter", frozen=True):
    """The last dead letter of an order; document id ``dead-letter::<order id>``.

    `kafka_partition` and `kafka_offset` are its place in the dead-letter topic. It keeps the
    services of the one that it replaces (`after`), so as not to hide theirs."""

    #: The services that could not process the order, comma-separated, the latest first.
    service: str
    error_class: str
    error_text: str
    attempts: int
    original_topic: str
    first_failure: str
    last_failure: str
    kafka_timestamp: int = 0

    def after(self, before: Document | None) -> Document:
        """This one, with the services of `before` added after its own."""
        if not isinstance(before, DeadLetterDocument):
            return self
        names = dict.fromkeys([*self.service.split(","), *before.service.split(",")])
        return msgspec.structs.replace(self, service=",".join(names))


#: All types of documents.
KINDS: tuple[type[Document], ...] = (
    OrderDocument,
    AlertDocument,
    ShadowDocument,
    PaymentDocument,
    DeadLetterDocument,
)
