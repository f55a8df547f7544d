"""`Idempotency-Key`: plain, or, as IETF's draft has it, a string of RFC 8941.

`"k1"` and `k1` are one key: clients of either kind may ask for the same order."""

import re

from aiohttp import web

from orderapp.web.api.routes import Parameter
from orderapp.web.server.problems import bad_parameter

#: What the header may hold. Only the quoted form has spaces, and backslashes before quotation
#: marks and backslashes.
_PATTERN = r'^([!#-~][!-~]{0,254}|"([ !#-\[\]-~]|\\["\\]){1,255}")$'
PARAMETER = Parameter(
    "Idempotency-Key",
    {"type": "string", "pattern": _PATTERN},
    "makes the request safe to repeat: the same key and body give the same order, and "
    "no second one; another body under the same key is 422",
    "header",
    example="4f1c5a9e-order-1",
)


def read_key(request: web.Request) -> str | None:
    """The key, None when there is none; raises `Problem`."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(_PATTERN, keys[0]):
        text = ", ".join(keys).encode(errors="replace").decode()
        raise bad_parameter(
            "Idempotency-Key",
            text,
            "1 to 255 visible ASCII characters, or a quoted string of as many",
        )
    return meant(keys[0])


def meant(text: str) -> str:
    """The key that a header means."""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
