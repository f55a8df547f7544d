"""How the query service compares: any value with any other, by type first.

Documents come from anybody, so a field may be missing or have any type.
"""

from typing import Any

import msgspec

#: The sort key of a value: its type's place, then itself.
Rank = tuple[int, Any]


def rank(value: Any) -> Rank:
    """MISSING, null, false, true, numbers, texts, arrays, objects, in that order."""
    if value is msgspec.UNSET:
        return 0, 0
    if value is None:
        return 1, 0
    if isinstance(value, bool):
        return 2, value
    if is_number(value):
        return 3, value
    if isinstance(value, str):
        return 4, value
    return (5 if isinstance(value, list) else 6), msgspec.json.encode(value)


def is_known(value: Any) -> bool:
    """Whether a comparison with it can be true: neither missing nor null."""
    return value is not msgspec.UNSET and value is not None


def is_number(value: Any) -> bool:
    """Whether one can count with it; in Python truth values are numbers too."""
    return isinstance(value, int | float) and not isinstance(value, bool)
