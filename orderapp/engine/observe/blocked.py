"""What keeps this worker from its work until somebody mends it.

A right that is missing, a topic whose settings refuse what has to be written: neither waiting
nor a restart helps. Each such reason is one critical line in the log, and the worker is not
ready while there is one. Nothing is given up meanwhile.
"""

import logging
from collections.abc import Hashable

logger = logging.getLogger(__name__)


class Blocked:
    """The reasons, by whatever their callers name them: a topic, a service."""

    def __init__(self) -> None:
        self._reasons: dict[Hashable, str] = {}

    def block(self, place: Hashable, reason: str) -> None:
        """Say once why `place` is blocked: what is wrong, and how to mend it."""
        if self._reasons.get(place) != reason:
            logger.critical("%s", reason)
        self._reasons[place] = reason

    def free(self, place: Hashable, *, mended: bool = True) -> None:
        """Note that `place` works; may be called when it was never blocked.

        Not `mended`: that this worker has no more to do with it."""
        reason = self._reasons.pop(place, None)
        if reason is not None and mended:
            logger.warning("no longer blocked: %s", reason)

    @property
    def reasons(self) -> list[str]:
        """Each reason, a line for people."""
        return list(self._reasons.values())

    def __contains__(self, place: Hashable) -> bool:
        return place in self._reasons

    def __len__(self) -> int:
        return len(self._reasons)


blocked = Blocked()
