"""`Prefer: wait=N` (RFC 7240): how long a client would wait for an answer."""

import re
from collections.abc import Iterable

from aiohttp import web

from orderapp.web.api.routes import Parameter

#: The longest wait, in seconds; who prefers a longer one gets this one.
LONGEST_WAIT = 10

PARAMETER = Parameter(
    "Prefer",
    {"type": "string"},
    f"`wait=N`: wait until the order is stored, N seconds, at most {LONGEST_WAIT} (RFC 7240); "
    "`Preference-Applied` says for how long. Other preferences, and what is no number of "
    "seconds, count for nothing",
    "header",
    example="wait=5",
)

#: The preferences of a header, with commas in quoted strings.
_PREFERENCES = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_SECONDS = re.compile(r'\s*(?:([0-9]{1,9})|"([0-9]{1,9})")\s*')


def read_wait(request: web.Request) -> int | None:
    """Seconds, at most `LONGEST_WAIT`; None: no wait is preferred, or none that can be read,
    which RFC 7240 says to ignore. The first one counts."""
    for preference in _preferences(request.headers.getall("Prefer", [])):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            match = _SECONDS.fullmatch(value)
            return min(int(match[1] or match[2]), LONGEST_WAIT) if match else None
    return None


def applied(seconds: int) -> dict[str, str]:
    """The header that says so."""
    return {"Preference-Applied": f"wait={seconds}"}


def _preferences(headers: Iterable[str]) -> Iterable[str]:
    for header in headers:
        yield from _PREFERENCES.findall(header)
