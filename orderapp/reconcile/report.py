"""What came of a check: counts, examples, and the words around them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orderapp.reconcile.rule import APART, DISAGREEMENTS, MAY_PASS

#: An order id, or the place of a record as `topic[partition]@offset`.
Example = int | str


@dataclass
class Report:
    """Counts by name, and the first `limit` examples of each disagreement."""

    limit: int
    #: Records by topic, and documents by type.
    records: dict[str, int] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    #: Dead letters whose headers can't be read; they excuse nothing.
    damaged: int = 0
    #: Offsets behind open transactions, of all topics: not read, and not judged.
    held_back: int = 0
    orders: int = 0
    found: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    #: Records (at most) that Kafka deleted before they were read, by group and topic.
    lost: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Whether something that disagrees may only be on its way.
    may_pass: bool = False

    def add(self, names: Iterable[str], example: Example) -> None:
        """Count what was found about one order or record."""
        for name in names:
            self.found[name] += 1
            if name in DISAGREEMENTS:
                examples = self.examples.setdefault(name, [])
                if len(examples) < self.limit:
                    examples.append(example)
            self.may_pass |= name in MAY_PASS

    @property
    def disagreements(self) -> int:
        """How many there are."""
        return sum(self.found[name] for name in DISAGREEMENTS)

    @property
    def agrees(self) -> bool:
        """Whether everything agrees."""
        return self.disagreements == 0

    @property
    def records_lost(self) -> int:
        """How many, of all groups together."""
        return sum(self.lost.values())

    @property
    def _status(self) -> str:
        if not self.agrees:
            return "disagree"
        return "lost" if self.lost else "agree"

    def as_json(self) -> str:
        """The report as one JSON object."""
        disagreements = {
            name: {"count": self.found[name], "examples": self.examples.get(name, [])}
            for name in DISAGREEMENTS
        }
        apart = {name: self.found[name] for name in APART}
        lost = [{"group": g, "topic": t, "records": n} for (g, t), n in self.lost.items()]
        return json.dumps(
            {
                "status": self._status,
                "orders": self.orders,
                "records": self.records,
                "documents": self.documents,
                "apart": {
                    **apart,
                    "damaged_dead_letters": self.damaged,
                    "behind_open_transactions": self.held_back,
                },
                "lost": {"records": self.records_lost, "groups": lost},
                "disagreements": disagreements,
            },
            indent=2,
        )

    def as_text(self) -> str:
        """The report as a table; disagreements are left out where there are none."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "Read"
        for topic, count in self.records.items():
            yield _line(f"records in {topic}", count)
        for kind, count in self.documents.items():
            yield _line(f"{kind} documents", count)
        yield "Counted apart"
        for name, words in APART.items():
            yield _line(words, self.found[name])
        yield _line("dead letters with damaged headers", self.damaged)
        yield _line("records behind open transactions, not read", self.held_back)
        yield "Lost"
        yield _line("records that retention deleted unread", self.records_lost)
        for (group, topic), records in self.lost.items():
            yield _line(f"  of {topic}, by the group {group}", records)
        yield "Disagreements"
        if self.agrees:
            yield "  none"
        for name, words in DISAGREEMENTS.items():
            if count := self.found[name]:
                yield _line(words, count, self.examples.get(name, []))
        yield ""
        found = f"{self.disagreements:,} disagreements" if not self.agrees else "all agree"
        lost = f"; up to {self.records_lost:,} records were lost" if self.lost else ""
        yield f"{self.orders:,} orders: {found}{lost}."


def _line(words: str, count: int, examples: Iterable[Example] = ()) -> str:
    shown = list(examples)
    if not shown:
        return f"  {words:<52} {count:>13,}"
    more = ", …" if count > len(shown) else ""
    return f"  {words:<52} {count:>13,}  {', '.join(map(str, shown))}{more}"
