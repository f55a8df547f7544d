"""Where spans go: OpenTelemetry's exporters, chosen by its standard variables.

Their complaints are heard once a minute, and their settings are checked here first: they would
show a damaged `OTEL_EXPORTER_OTLP_HEADERS`, which is a secret, in the log.
"""

import logging
import time
from collections.abc import Mapping
from importlib.metadata import entry_points

from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.util.re import parse_env_headers
from yarl import URL

from orderapp.engine.errors import FatalError

logger = logging.getLogger(__name__)

#: Seconds in which at most one complaint is shown.
EVERY = 60.0
_MAX_TEXT = 300

_PACKAGES = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class Seldom(logging.Handler):
    """Passes on what OpenTelemetry says, in one line, and rarely.

    While a collector is away it complains several times for each batch of spans."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Show `record`, or not."""
        if (now := time.monotonic()) - self._said >= EVERY:
            self._said = now
            text = " ".join(record.getMessage().split())[:_MAX_TEXT]
            logger.warning("traces: %s (said once in %g s)", text, EVERY)


def exporters(environ: Mapping[str, str]) -> list[SpanExporter]:
    """Those of `OTEL_TRACES_EXPORTER` (otlp); raises `FatalError`."""
    said = logging.getLogger("opentelemetry")
    said.propagate = False
    if not any(isinstance(handler, Seldom) for handler in said.handlers):
        said.addHandler(Seldom())
    _check(environ)
    names = environ.get("OTEL_TRACES_EXPORTER", "").lower().split(",")
    return [_exporter(name.strip() or "otlp", environ) for name in names]


def where(environ: Mapping[str, str]) -> str:
    """Where the spans go, without what may be secret in it."""
    names = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    name, endpoint = _endpoint(environ)
    if not name or "otlp" not in names or not _is_url(endpoint):
        return names
    return f"{names} ({URL(endpoint).with_user(None).origin()})"


def _exporter(name: str, environ: Mapping[str, str]) -> SpanExporter:
    package = name
    if name == "otlp":
        package = _PACKAGES[_protocol(environ)[1]]
    for found in entry_points(group="opentelemetry_traces_exporter", name=package):
        try:
            exporter: SpanExporter = found.load()()
        except (ValueError, OSError) as error:  # a setting that is no number, a missing file
            raise FatalError(f"the exporter of traces {name!r} can't start: {error}") from None
        return exporter
    raise FatalError(
        f"OTEL_TRACES_EXPORTER: {package!r} is not installed; allowed: otlp, console or none"
    )


def _first(environ: Mapping[str, str], what: str) -> tuple[str, str]:
    """A variable for traces, or the one for all signals: its name and value."""
    for name in (f"OTEL_EXPORTER_OTLP_TRACES_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return "", ""


def _endpoint(environ: Mapping[str, str]) -> tuple[str, str]:
    return _first(environ, "ENDPOINT")


def _protocol(environ: Mapping[str, str]) -> tuple[str, str]:
    name, value = _first(environ, "PROTOCOL")
    return name, value or "http/protobuf"


def _check(environ: Mapping[str, str]) -> None:
    name, protocol = _protocol(environ)
    if protocol not in _PACKAGES:
        raise FatalError(f"{name}={protocol!r} is not allowed: {' or '.join(_PACKAGES)}")
    name, endpoint = _endpoint(environ)
    if name and protocol == "http/protobuf" and not _is_url(endpoint):
        # Without its value, which may hold a password.
        raise FatalError(f"{name} is no address: http://host:port or https://host:port")
    name, headers = _first(environ, "HEADERS")
    if name and not _are_headers(headers):
        raise FatalError(f"{name} is not name=value[,name=value], with URL encoded values")


def _is_url(text: str) -> bool:
    try:
        url = URL(text)
        return url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        return False


def _are_headers(text: str) -> bool:
    parts = [part for part in text.split(",") if part.strip()]
    if not all("=" in part for part in parts):
        return False
    values = parse_env_headers(text, liberal=True)
    return len(values) == len(parts) and all(
        value.isascii() and value.isprintable() for value in values.values()
    )
