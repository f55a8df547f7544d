"""Faust's own decorators, in a module of a service that this worker may not run."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
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
        #: What is called, and not waited for, once the worker has started.
        self.at_start: list[Callable[[], Awaitable[None]]] = []

    async def on_started_init_extra_tasks(self) -> None:
        await super().on_started_init_extra_tasks()
        for begin in self.at_start:
            self.add_future(begin())

    def topic(self, *topics: str, **options: Any) -> Any:
        """A topic that is not batched. See Faust, whose types know nothing of `Record`."""
        return super().topic(*topics, **options)

    def crontab(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        usual = super().crontab(*args, **options)
        return usual if self.services.is_running else lambda function: function

    def task(  # type: ignore[override]
        self, function: Any = None, *, on_leader: bool = False, traced: bool = True
    ) -> Any:
        """See Faust, which also notes where each is declared, and looks through all modules for
        that: 50 ms of every process."""

        def declare(function: Callable[..., Awaitable[None]]) -> Any:
            if not self.services.is_running:
                return function

            @wraps(function)
            async def begin() -> None:
                if not on_leader or self.is_leader():
                    with self.trace(function.__qualname__, trace_enabled=traced):
                        await function(*[self][: len(inspect.signature(function).parameters)])

            self.at_start.append(begin)
            return begin

        return declare if function is None else declare(function)

    def Table(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        return self._table(super().Table(name, **options))

    def GlobalTable(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        return self._table(super().GlobalTable(name, **options))

    def SetTable(self, name: str, **options: Any) -> Any:  # noqa: N802 - Faust's name
        return self._table(super().SetTable(name, **options))

    def _table(self, table: Any) -> Any:
        if not self.services.is_running:
            self.tables.pop(table.name)
        return table
