"""The service `web`: importing this registers the API and the dashboard."""

from orderapp.web.api import (  # noqa: F401 - imported to be registered
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
    rule_tests,
    rules,
    send_order,
    stats,
    topology,
)
from orderapp.web.page import errors, files  # noqa: F401
