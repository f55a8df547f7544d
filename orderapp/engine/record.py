"""Faust's Record, as type checkers should see it.

Faust's own class has an untyped base, so that a misspelt field passes every checker."""

from typing import TYPE_CHECKING, Any, dataclass_transform

import faust

if TYPE_CHECKING:

    @dataclass_transform(kw_only_default=True, frozen_default=True)
    class Record:
        """A `faust.Record`: what travels on a topic."""

        def __init_subclass__(cls, **options: Any) -> None: ...
        def dumps(self) -> bytes:
            """As JSON."""

        def asdict(self) -> dict[str, Any]:
            """Its fields."""

else:
    Record = faust.Record
