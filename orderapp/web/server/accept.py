"""What a client accepts."""

import re

_QUALITY = re.compile(r"(?:^|;)\s*q\s*=\s*([01](?:\.[0-9]*)?)\s*(?:;|$)", re.IGNORECASE)


def quality(header: str, value: str) -> float:
    """How much a header such as `Accept` wants a value that it names: from 0 (not at all, or
    not named) to 1."""
    for part in header.split(","):
        name, _, parameters = part.partition(";")
        if name.strip().lower() == value:
            match = _QUALITY.search(parameters)
            return float(match[1]) if match else 1.0
    return 0.0
