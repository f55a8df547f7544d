"""How many a command has done."""

from orderapp.reconcile.progress import Line


class Progress(Line):
    """Call it with what is done. `total` is None where it is not known."""

    def __init__(self, done: str, total: int | None = None) -> None:
        super().__init__()
        self._done, self._of = done, "" if total is None else f" of {total:,}"

    def __call__(self, count: int) -> None:
        """So many are done."""
        if self.is_due():
            self.show(f"{self._done} {count:,}{self._of} …")
