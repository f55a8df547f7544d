"""Faust's Record, as type checkers should see it.

Faust's own class has an untyped base, so that a misspelt field passes every checker. A field
whose value is msgspec's `UNSET` is not written, as msgspec itself does it."""

from typing import TYPE_CHECKING, Any, dataclass_transform

import faust
from msgspec import UNSET

if TYPE_CHECKING:

    @dataclass_transform(kw_only_default=True, frozen_default=True)
    class Record:
        """A `faust.Record`: what travels on a topic. In batches it is a Struct with the same
        fields, so that only those are to be relied on."""

        def __init_subclass__(cls, **options: Any) -> None: ...

else:

    class Record(faust.Record, abstract=True):
        def to_representation(self) -> dict[str, Any]:
            payload = super().to_representation()
            return {name: value for name, value in payload.items() if value is not UNSET}
