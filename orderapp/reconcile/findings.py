"""What the rule can find out about an order or a record, and the words for it."""

from orderapp.reconcile.case import ANALYTICS, FRAUD, PAYING

#: What can disagree, and the words for it. A finding is one of these and an order id.
DISAGREEMENTS = {
    "order_without_document": "orders without document",
    "order_without_payment": "orders without payment",
    "order_charged_twice": "orders with two different payment ids",
    "wrong_payment": "payments with a wrong amount or status",
    "payment_without_order": "payments without order",
    "missing_alert": "risky orders without alert",
    "wrong_alert": "alerts for a safe order, or with other contents",
    "alert_without_order": "alerts without order",
    "document_without_order": "documents without order",
    "document_without_record": "documents without alert or payment in the topic",
    "document_differs": "documents that differ from the topic",
    "alert_without_document": "alerts without document",
    "payment_without_document": "payments without document",
    "undecodable_lost": "undecodable records that are in no dead letter",
}
#: What may come right by itself, since it can be on its way.
MAY_PASS = frozenset(
    {
        "order_without_document",
        "order_without_payment",
        "missing_alert",
        "document_differs",
        "alert_without_document",
        "payment_without_document",
        "undecodable_lost",
    }
)
#: What is counted apart, and is no disagreement.
APART = {
    "repeated": "orders that were sent again",
    "retired": "orders older than what the topic still has",
    "expired": "orders whose documents have expired",
    "waiting_fraud": "orders whose dead letter waits for fraud",
    "waiting_payment": "orders whose dead letter waits for payment",
    "waiting_analytics": "orders whose dead letter waits for analytics",
    "dropped": "orders whose dead letter was dropped",
}
#: Of these, orders for which a service has not done its work, and will not by itself.
WAITING = {
    FRAUD: "waiting_fraud",
    PAYING: "waiting_payment",
    ANALYTICS: "waiting_analytics",
}
