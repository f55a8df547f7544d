"""What a piece of work is part of: a delivery, which may be forgotten while it waits."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from faust.types import TP
from faust.types.tuples import Message

#: Keeps a partition from being read while the context lasts, and what was read of it from
#: counting towards what a worker holds: the others go on.
SetAside = Callable[[TP], AbstractContextManager[None]]


class ForgottenError(Exception):
    """The partition has gone to another worker, which does the work anew."""


def nothing_set_aside(_: TP) -> AbstractContextManager[None]:
    """A `SetAside` for who reads nothing."""
    return nullcontext()


class Errand:
    """The work on one delivery."""

    __slots__ = ("_set_aside", "message")

    def __init__(self, message: Message, set_aside: SetAside = nothing_set_aside) -> None:
        self.message = message
        self._set_aside = set_aside

    @property
    def place(self) -> tuple[str, int]:
        """The topic and the partition that it comes from."""
        topic, partition = self.message.tp
        return topic, partition

    def check_wanted(self) -> None:
        """Raise `ForgottenError` when a result would come too late."""
        # Nobody has acked it but `Consumer.drain`, when it gave up waiting for us. A late try
        # could put an old document over the one that the partition's new owner has written.
        if self.message.acked:
            raise ForgottenError

    def aside(self) -> AbstractContextManager[None]:
        """Around a wait of which nobody knows the end: it takes no room from others."""
        return self._set_aside(self.message.tp)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Around the work itself: what it sends knows that it is part of this."""
        token = current.set(self)
        try:
            yield
        finally:
            current.reset(token)


#: What runs now; None: no delivery's work (a request, a timer).
current: ContextVar[Errand | None] = ContextVar("current", default=None)
