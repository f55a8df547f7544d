"""What the store keeps: one document for each order, alert and payment.

Every document has an id computed from the order id alone and exactly one writer, so that
any write may be repeated. ``type`` is written by msgspec from the class's tag.
"""

import msgspec


class Document(msgspec.Struct, tag_field="type", frozen=True, gc=False):
    """A record as it arrived, with the place in Kafka where it came from."""

    order_id: int
    kafka_partition: int
    kafka_offset: int

    @property
    def id(self) -> str:
        """The document id."""
        raise NotImplementedError


class OrderDocument(Document, tag="order", frozen=True):
    """An order; document id ``str(order_id)``."""

    customer_id: int
    amount: float
    country: str
    created_at: str

    @property
    def id(self) -> str:
        """The document id."""
        return str(self.order_id)


class AlertDocument(Document, tag="alert", frozen=True):
    """A fraud alert; document id ``alert::<order id>``."""

    reason: str
    amount: float
    country: str
    customer_id: int
    detected_at: str

    @property
    def id(self) -> str:
        """The document id."""
        return f"alert::{self.order_id}"


class PaymentDocument(Document, tag="payment", frozen=True):
    """A payment; document id ``payment::<order id>``."""

    payment_id: str
    status: str
    amount: float
    paid_at: str

    @property
    def id(self) -> str:
        """The document id."""
        return f"payment::{self.order_id}"


class OrderStory(msgspec.Struct, frozen=True):
    """An order with what the services found; `payment` is None until it is made."""

    order: OrderDocument
    alerts: list[AlertDocument]
    payment: PaymentDocument | None
