"""The service `web`: importing this registers the API and the dashboard."""

from orderapp.web.api import (
    access_answer,
    asyncapi,
    dead_letter_changes,
    dead_letters,
    docs,
    events,
    export,
    faults,
    history,
    messages,
    openapi,
    orders,
    reconcile,
    rules,
    send_order,
    stats,
    topology,
)
from orderapp.web.page import errors, files

__all__ = [
    "access_answer",
    "asyncapi",
    "dead_letter_changes",
    "dead_letters",
    "docs",
    "errors",
    "events",
    "export",
    "faults",
    "files",
    "history",
    "messages",
    "openapi",
    "orders",
    "reconcile",
    "rules",
    "send_order",
    "stats",
    "topology",
]
