"""What came of a check: counts, examples, and the words around them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orderapp.program import called
from orderapp.reconcile.findings import APART, DISAGREEMENTS, MAY_PASS, WAITING

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
    #: Dead letters that are no order, by what was done with them: open, dropped, replayed.
    no_order: Counter[str] = field(default_factory=Counter)
    #: Whether all is well also while dead letters are open, and where records were lost.
    allow_dead_letters: bool = False
    allow_lost: bool = False

    def add(self, names: Iterable[str], example: Example) -> None:
        """Count what was found about one order or record."""
        for name in names:
            self.found[name] += 1
            if name in DISAGREEMENTS:
                examples = self.examples.setdefault(name, [])
                if len(examples) < self.limit:
                    examples.append(example)
            self.may_pass |= name in MAY_PASS

    def add_no_order(self, done: str, place: str) -> None:
        """Count a dead letter that is no order."""
        self.no_order[done] += 1
        examples = self.examples.setdefault("no_order", [])
        if done == "open" and len(examples) < self.limit:
            examples.append(place)

    @property
    def waits(self) -> bool:
        """Whether something waits as a dead letter until somebody replays or drops it."""
        return any(self.found[n] for n in WAITING.values()) or self.no_order["open"] > 0

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
    def is_well(self) -> bool:
        """Whether everything agrees, and nothing was lost or waits that may not."""
        return self._status == "agree"

    @property
    def _status(self) -> str:
        if not self.agrees:
            return "disagree"
        if self.lost and not self.allow_lost:
            return "lost"
        return "dead_letters" if self.waits and not self.allow_dead_letters else "agree"

    def as_json(self) -> str:
        """The report as one JSON object."""
        disagreements = {
            name: {"count": self.found[name], "examples": self.examples.get(name, [])}
            for name in DISAGREEMENTS
        }
        apart = {name: self.found[name] for name in APART}
        lost = [{"group": g, "topic": t, "records": n} for (g, t), n in self.lost.items()]
        other = {done: self.no_order[done] for done in ("open", "dropped", "replayed")}
        places = self.examples.get("no_order", [])
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
                "dead_letters_no_order": {**other, "examples": places},
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
        yield self._no_order_line()
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
        yield f"{self.orders:,} orders: {'; '.join(self._in_short())}."

    def _in_short(self) -> Iterator[str]:
        if self.is_well:
            yield "all agree"
        if not self.agrees:
            yield f"{self.disagreements:,} disagreements"
        if self.waits and not self.allow_dead_letters:
            yield f"dead letters are open (`{called('dlq list')}`)"
        if self.lost:
            yield f"up to {self.records_lost:,} records were lost"

    def _no_order_line(self) -> str:
        counts = [f"{self.no_order[done]:,} {done}" for done in ("open", "dropped")]
        if replayed := self.no_order["replayed"]:
            counts.append(f"{replayed:,} replayed")
        shown = self.examples.get("no_order", [])
        more = ", …" if self.no_order["open"] > len(shown) else ""
        places = f"  {', '.join(map(str, shown))}{more}" if shown else ""
        return f"  dead letters that are no order: {', '.join(counts)}{places}"


def _line(words: str, count: int, examples: Iterable[Example] = ()) -> str:
    shown = list(examples)
    if not shown:
        return f"  {words:<52} {count:>13,}"
    more = ", …" if count > len(shown) else ""
    return f"  {words:<52} {count:>13,}  {', '.join(map(str, shown))}{more}"
