"""Times: those that others wrote are read as RFC 3339, and nothing else.

Python's own reader takes far more for a time: `1796010112345` is the year 1796 to it."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

#: A time as text; what describes our types says so.
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

#: All but the seconds, the seconds, their fraction, the zone, and its minutes.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(\.\d+)?(Z|[+-]\d\d:(\d\d))?", re.ASCII | re.IGNORECASE
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")

#: The last moment that Python knows, in ms; a record may hold a later one.
_LAST_MOMENT = 253_402_300_799_000


def iso(moment: datetime) -> str:
    """A moment in UTC, as it stands in log lines: to the ms, with a `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(timestamp: int) -> datetime:
    """The moment of a record's timestamp (ms of Unix time), or the nearest that can be."""
    return datetime.fromtimestamp(min(max(timestamp, 0), _LAST_MOMENT) / 1000, UTC)


def iso_at(at: float) -> str:
    """`iso` of a Unix time in s."""
    return iso(moment_of(int(at * 1000)))


def parse_time(text: str, *, dates: bool = False) -> datetime:
    """The moment, in UTC, down to µs; ValueError, which names `text`, for what is no time.

    A time without a zone is UTC's. A leap second, where there can be one, is the last µs before
    it. With `dates` a date alone is a time as well: when it begins."""
    if dates and _DATE.fullmatch(text):
        text += "T00:00:00Z"
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is no RFC 3339 time, such as 2026-11-23T18:00:00Z")
    try:
        return _moment(*match.groups())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_shown(text)} is no time that can be: {error}") from None


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time (UTC if it does not say), a date, or `2h` (ago); ValueError."""
    match = _DURATION.fullmatch(text)
    try:
        if match:
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        return parse_time(text, dates=True)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{_shown(text)} is no time: give RFC 3339 (2026-11-23T18:00:00Z, or a date) or "
            "how long ago (30s, 15m, 2h, 7d, 1w)"
        ) from None


def _moment(
    minute: str, second: str, fraction: str | None, zone: str | None, zone_minutes: str | None
) -> datetime:
    if zone_minutes and int(zone_minutes) > 59:
        raise ValueError("minutes of the zone must be in 0..59")
    is_leap = second == "60"
    seconds = "59.999999" if is_leap else f"{second}{fraction or ''}"
    text = f"{minute}{seconds}{zone or 'Z'}".upper()
    moment = datetime.fromisoformat(text).astimezone(UTC)
    if is_leap and not _ends_a_month(moment):
        raise ValueError("second must be in 0..59, or a leap second at the end of a month")
    return moment


def _ends_a_month(moment: datetime) -> bool:
    last = calendar.monthrange(moment.year, moment.month)[1]
    return (moment.day, moment.hour, moment.minute) == (last, 23, 59)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else f"{text[:63]}…")
