"""Single values of the environment: each is checked, and its name is remembered."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import NoReturn

#: Characters of a wrong value, or of a name, that an error shows.
_MAX_SHOWN = 100
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
# Variables with our prefix that are for others: tests, docker-compose.yml, and what Kubernetes
# sets in every container beside a service that is called orderapp or orderapp-web.
_NOT_OURS = re.compile(
    r"ORDERAPP_(TEST_\w+=|IMAGE_TAG=|PORT=|PROMETHEUS_PORT=|GRAFANA_PORT="
    r"|(\w+_)?(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT_[0-9]+_\w+=|PORT=(tcp|udp|sctp)://))"
)


class SettingsError(ValueError):
    """A setting is wrong; the text is one line: its name, its value and what is allowed."""


class Environ:
    """Variables, and the names of those that were asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # An empty variable counts as unset: that is how Compose passes on what is not there.
        self._values = {name: value.strip() for name, value in environ.items() if value.strip()}
        self.names: set[str] = set()

    def get(self, name: str) -> str | None:
        """The value, None when it is not set."""
        self.names.add(name)
        return self._values.get(name)

    def refuse_unknown(self) -> None:
        """Raise for a variable with our prefix that nobody has asked for: it is misspelt."""
        known = sorted(name for name in self.names if name.startswith("ORDERAPP_"))
        for name in sorted(self._values.keys() - self.names):
            line = f"{name}={self._values[name]}"
            if name.startswith("ORDERAPP_") and not _NOT_OURS.match(line):
                shown = name[:_MAX_SHOWN]
                (nearest,) = get_close_matches(shown.upper(), known, 1, cutoff=0)
                shown = shown if shown.isprintable() else ascii(shown)
                raise SettingsError(
                    f"{shown} is not a setting: did you mean {nearest}? "
                    "All are in docs/settings.md"
                )

    def seconds(self, name: str, default: float, least: float, most: float = 86_400) -> float:
        """A number of seconds."""
        allowed = f"a number of seconds from {least:g} to {most:.0f}"
        return self._number(name, default, least, most, allowed)

    def rate(self, name: str) -> float:
        """How often something happens that never does by default."""
        return self._number(name, 0.0, 0, 1, "a rate from 0 (never) to 1 (always)")

    def share(self, name: str, default: float) -> float:
        """A limit as a share."""
        return self._number(name, default, 0, 1, "a share from 0 to 1 (no limit)")

    def _number(
        self, name: str, default: float, least: float, most: float, allowed: str
    ) -> float:
        text = self.get(name)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            wrong(name, text, allowed)
        if not least <= number <= most:  # so that a NaN is refused too
            wrong(name, text, allowed)
        return number

    def count(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number."""
        text = self.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
            wrong(name, text, f"a whole number from {least} to {most}")
        return int(text)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices, the first one by default."""
        value = self.get(name) or choices[0]
        if value not in choices:
            wrong(name, value, " or ".join(choices))
        return value

    def text(self, name: str, pattern: str, allowed: str) -> str | None:
        """Text that a pattern fits."""
        value = self.get(name)
        if value is not None and not re.fullmatch(pattern, value):
            wrong(name, value, allowed)
        return value

    def hosts(self, name: str, allowed: str, *, port_required: bool = False) -> tuple[str, ...]:
        """Hosts with commas between them, perhaps with ports."""
        text = self.get(name)
        if text is None:
            return ()
        hosts = tuple(part.strip() for part in text.split(","))
        if not all(is_host(host, port_required=port_required) for host in hosts):
            wrong(name, text, allowed)
        return hosts

    def host_names(self, name: str) -> tuple[str, ...]:
        """Host names with commas between them, without ports, in lower case; `*` is any."""
        text = self.get(name)
        if text is None:
            return ()
        names = tuple(part.strip().lower() for part in text.split(","))
        if not all(found == "*" or re.fullmatch(r"[a-z0-9._-]+", found) for found in names):
            wrong(name, text, "host names without ports, with commas between them, or *")
        return names

    def address(self, name: str, default: str) -> str:
        """Where a server listens; an IPv6 address without brackets."""
        text = self.get(name) or default
        if not re.fullmatch(r"[A-Za-z0-9._-]+", text) and not _is_ipv6(text):
            wrong(name, text, "a host name or an address, without a port")
        return text

    def url(self, name: str) -> str | None:
        """An HTTP address without a slash at its end."""
        text = self.get(name)
        if text is None:
            return None
        match = re.fullmatch(r"https?://([^/?#@\\]+)(/[!-~]*)?", text, re.IGNORECASE)
        if not match or not is_host(match[1]) or "?" in text or "#" in text:
            # What stands behind a question mark may be a secret.
            allowed = "http[s]://host[:port][/path], and nothing else in it"
            wrong(name, text.split("?")[0], allowed)
        return text.rstrip("/")


def wrong(name: str, value: str, allowed: str) -> NoReturn:
    """Say what is allowed."""
    # What stands before an @ in an address is a password; and a value may be a whole file.
    shown = re.sub(r"^([a-zA-Z_]+://)?.*@", r"\1…@", value, flags=re.DOTALL)
    shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 1]}…"
    raise SettingsError(f"{name}={shown!r} is not allowed: {allowed}")


def is_host(text: str, *, port_required: bool = False) -> bool:
    """Whether it is a name or an address, perhaps with a port."""
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or (text.startswith("[") and not _is_ipv6(match[1][1:-1])):
        return False
    if match["port"] is None:
        return not port_required
    return 1 <= int(match["port"]) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
