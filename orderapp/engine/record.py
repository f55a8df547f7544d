"""Faust's Record, as type checkers should see it.

Faust's own class has an untyped base, so that a misspelt field passes every checker."""

from typing import TYPE_CHECKING, Any, dataclass_transform

import faust

if TYPE_CHECKING:

    @dataclass_transform(kw_only_default=True, frozen_default=True)
    class Record:
        """A `faust.Record`: what travels on a topic. In batches it is a Struct with the same
        fields, so that only those are to be relied on."""

        def __init_subclass__(cls, **options: Any) -> None: ...

else:
    Record = faust.Record
