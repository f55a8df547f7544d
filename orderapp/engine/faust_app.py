"""Faust's own decorators, in a module of a service that this worker may not run."""

from collections.abc import Callable
from typing import Any

import faust

from orderapp.engine.services import Services


class ServicesApp(faust.App):
    """A Faust app that knows services. `runs` says of a service's name whether this worker runs
    it; what the others declare is known, and not started."""

    def __init__(
        self, group: str, *, runs: Callable[[str], bool] = lambda _: True, **options: Any
    ) -> None:
        super().__init__(group, **options)
        self.services = Services(runs)

    def topic(self, *topics: str, **options: Any) -> Any:
        """A topic that is not batched. See Faust, whose types know nothing of `Record`."""
        return super().topic(*topics, **options)

    def crontab(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """See Faust."""
        return super().crontab(*args, **options) if self.services.is_running else _as_it_is

    def task(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """See Faust."""
        if self.services.is_running:
            return super().task(*args, **options)
        return args[0] if args and callable(args[0]) else _as_it_is

    def Table(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        """See Faust."""
        return self._table(super().Table(name, **options))

    def GlobalTable(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        """See Faust."""
        return self._table(super().GlobalTable(name, **options))

    def SetTable(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        """See Faust."""
        return self._table(super().SetTable(name, **options))

    def _table(self, table: Any) -> Any:
        if not self.services.is_running:
            self.tables.pop(table.name)
        return table


def _as_it_is(function: Any) -> Any:
    return function
