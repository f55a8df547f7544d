"""An order's timeline."""

from collections.abc import Mapping
from datetime import UTC, datetime

from orderapp.models import format_time, known_time
from orderapp.store import DeadLetterDocument, Finding, OrderStory, PaymentDocument
from orderapp.web.api.answers import Fraud, Step
from orderapp.web.api.known_letters import told
from orderapp.web.api.unjudged import in_words


def timeline(story: OrderStory, fraud: Fraud, failed: Mapping[str, str]) -> list[Step]:
    """The steps that are known, in the order in which they were taken; `failed`: `unjudged`."""
    order = story.order
    created = known_time(order.created_at)
    place = f"orders[{order.kafka_partition}]@{order.kafka_offset}"
    accepted = _moment(order.kafka_timestamp)
    steps = [
        *_judged(story, fraud, failed),
        _payment(story.payment),
        _given_up(story.dead_letter),
    ]
    if order.stored_at:
        steps.append(Step("stored", known_time(order.stored_at), "by analytics"))
    known = [step for step in steps if step is not None]
    # A step without a time stays in front: what is judged clear leaves no message behind.
    known.sort(key=lambda step: step.at or "")
    return [
        Step("created", created, f"by customer {order.customer_id}"),
        Step("accepted", accepted, f"by Kafka, as {place}"),
        *known,
    ]


def _moment(ms: int) -> str | None:
    try:
        return format_time(datetime.fromtimestamp(ms / 1000, UTC)) if ms else None
    except (ValueError, OverflowError, OSError):
        return None  # a sender may write any number


def _judged(story: OrderStory, fraud: Fraud, failed: Mapping[str, str]) -> list[Step]:
    clear = [Step("judged", None, "by fraud: clear")] if fraud.verdict == "CLEAR" else []
    if failed:
        clear = [Step("judged", None, f"by fraud: {in_words(failed)}")]
    alerts = [_found(alert, "by fraud") for alert in story.alerts]
    shadow = [_found(one, "in the shadow, no alert", shadow=True) for one in story.in_shadow]
    return [*clear, *alerts, *shadow]


def _found(found: Finding, where: str, *, shadow: bool = False) -> Step:
    version = f" (version {found.rule_version})" if found.rule_version else ""
    detail = f": {found.detail}" if found.detail else ""
    text = f"{where}: {found.reason}{version}{detail}"
    return Step("judged", known_time(found.detected_at), text, shadow)


def _payment(payment: PaymentDocument | None) -> Step | None:
    if payment is None:
        return None
    tries = "1 attempt" if payment.attempts == 1 else f"{payment.attempts} attempts"
    step = "paid" if payment.status == "PAID" else "declined"
    return Step(step, known_time(payment.paid_at), f"{payment.payment_id}, {tries}")  # type: ignore[arg-type]


def _given_up(letter: DeadLetterDocument | None) -> Step | None:
    if letter is None:
        return None
    text = f"by {letter.service}: {letter.error_class}: {letter.error_text}"
    became = told(letter)
    if became.resolved_at is not None:
        text += f" ({became.state} {became.resolved_at})"
    return Step("dead_letter", known_time(letter.last_failure), text)
