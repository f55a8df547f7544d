"""The names that this server goes by.

A foreign page can make a name of its own lead to this machine, and then read what is served
here as if it were its own (DNS rebinding). It can't choose the header `Host`, which holds that
name. An address is no name that anybody could lead anywhere: it is always answered.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

#: `host[:port]`, an IPv6 address in brackets.
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


def name_of(authority: str) -> str:
    """The name or address in a header `Host`, without its port; empty for what is none."""
    return _name_of(authority) if len(authority) < 300 else ""


@lru_cache(maxsize=256)
def _name_of(authority: str) -> str:
    match = _AUTHORITY.fullmatch(authority)
    return (match[1] or match[2]).lower().rstrip(".") if match else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Hosts:
    """Names that are answered: `localhost`, addresses, and those that were given."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._any = "*" in self._names

    def know(self, authority: str) -> bool:
        """Whether a header `Host` holds one of them."""
        name = name_of(authority)
        return self._any or name in self._names or _is_address(name)


@lru_cache(maxsize=256)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
