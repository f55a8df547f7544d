"""What can be compared: what each promise says now, and what breaks it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from orderapp.web import service  # noqa: F401 - registers the views
from orderapp.web.api import asyncapi, openapi
from tests.compatibility import messages, names, requests

RELEASED = Path(__file__).with_name("released")


class Promise(NamedTuple):
    now: Callable[[], Any]
    breaks: Callable[[Any, Any], list[str]]


PROMISES = {
    "openapi": Promise(openapi.document, requests.breaks),
    "asyncapi": Promise(asyncapi.document, messages.breaks),
    "settings": Promise(names.settings, names.breaks),
    "commands": Promise(names.commands, names.breaks),
    "metrics": Promise(names.metrics, names.breaks),
    "interface": Promise(names.interface, names.breaks),
}


def keep(name: str) -> None:
    text = json.dumps(PROMISES[name].now(), indent=1)
    (RELEASED / f"{name}.json").write_text(text + "\n", "utf-8")


def broken(name: str) -> list[str]:
    """Each break of what the last release said, in one line."""
    released = json.loads((RELEASED / f"{name}.json").read_text("utf-8"))
    return PROMISES[name].breaks(released, PROMISES[name].now())
