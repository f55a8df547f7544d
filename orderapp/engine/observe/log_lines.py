"""How a line of the log looks, for people (text) and for programs (JSON).

Whatever a line is made of may come from outside: records, headers, requests, the texts of
libraries' errors. So it is held here, for all loggers, that an event is one line, in which
control characters are written out. What belongs to it and has lines of its own (a traceback)
follows with `MARK` before each, so that none can be taken for a line of the log.
"""

import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from orderapp.engine.observe.texts import printable
from orderapp.engine.observe.times import iso

logger = logging.getLogger(__name__)

#: What `extra` may hold, as it follows in a line. `key` is a record's; `details` are lines of
#: our own that belong to the event.
FIELDS = (
    "key",
    "trace_id",
    "service",
    "topic",
    "partition",
    "offset",
    "attempt",
    "error",
    "details",
)

#: Before each line that belongs to the event above it.
MARK = "  | "

_NUMBER = re.compile(r"[0-9]{1,16}")


class TextFormatter(logging.Formatter):
    """The lines of another formatter, of which each event has exactly one. It ends with the key
    of the record that it is about, called `key_name`, where that is a number, as ids are, and
    not said yet."""

    def __init__(self, inner: logging.Formatter | None = None, key_name: str = "key") -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()
        self._key_name = key_name
        if colours := getattr(self._inner, "log_colors", None):
            # Faust's white cannot be read on a light terminal. This is the terminal's own.
            self._inner.log_colors = {**colours, "INFO": "reset"}  # type: ignore[attr-defined]

    def format(self, record: logging.LogRecord) -> str:
        # A copy: other handlers have formats of their own.
        line = logging.makeLogRecord(record.__dict__)
        line.msg, line.args = self._with_key(printable(record.getMessage()), record), ()
        line.exc_info = line.exc_text = line.stack_info = None
        text = self._inner.format(line)
        below = [f"{MARK}{printable(each)}" for each in self._below(record)]
        return "\n".join([text, *below]) if below else text

    def _with_key(self, message: str, record: logging.LogRecord) -> str:
        key = str(getattr(record, "key", ""))
        if not _NUMBER.fullmatch(key) or re.search(rf"(?<![0-9]){key}(?![0-9])", message):
            return message
        return f"{message} ({self._key_name} {key})"

    def _below(self, record: logging.LogRecord) -> Iterator[str]:
        if record.exc_info:
            yield from self.formatException(record.exc_info).split("\n")
        elif record.exc_text:
            yield from record.exc_text.split("\n")
        for found in (record.stack_info, getattr(record, "details", None)):
            if found:
                yield from str(found).split("\n")


class JsonFormatter(logging.Formatter):
    """One JSON object for each line; what is not known or empty is left out.

    A record's key stands under `key_name` when it is a number, as ids are, else under `key`;
    `extra` may hold it under that name as well."""

    def __init__(self, key_name: str = "key") -> None:
        super().__init__()
        self._key_name = key_name
        self._names = dict.fromkeys((key_name, *FIELDS))

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= self._fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # ASCII, so that no line separator of Unicode's and no half character gets out. JSON
        # itself lets DEL through.
        return json.dumps(line, default=str).replace("\x7f", r"\u007f")

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        said = {
            name: value
            for name in self._names
            if (value := getattr(record, name, None)) is not None and value != ""
        }
        if _NUMBER.fullmatch(str(said.get("key", ""))):
            said = {self._key_name: int(said.pop("key"))} | said
        return said


def json_config(key_name: str = "key") -> dict[str, Any]:
    """For Faust's setting `logging_config`: its own, with another format."""
    formatter = {"()": f"{__name__}.JsonFormatter", "key_name": key_name}
    return {"merge": True, "formatters": {"default": formatter, "colored": formatter}}


def hold_lines() -> None:
    """Let what Python itself writes have such lines too: warnings, what ends a thread or the
    program, and what is logged before a worker's handlers are there, or in a command. May be
    called twice."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(TextFormatter())
    warnings.formatwarning = _warning
    sys.excepthook = _end_of_program
    threading.excepthook = _end_of_thread


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    *_: Any,
    **__: Any,
) -> str:
    return f"{filename}:{lineno}: {category.__name__}: {printable(str(message))}\n"


def _end_of_program(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, Exception):
        logger.critical("the program ends by an error", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def _end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if issubclass(ended.exc_type, Exception) and ended.exc_value is not None:
        name = "a thread" if ended.thread is None else ended.thread.name
        found = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logger.error("%s ends by an error", name, exc_info=found)
