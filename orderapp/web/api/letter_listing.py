"""Which of the known dead letters are listed, in which order, and how many are of each kind."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from orderapp.engine.dead_letters.known import Known
from orderapp.engine.dead_letters.read import State
from orderapp.web.api.letter_answers import ErrorGroup, LetterCounts, LetterPage, listed_letter

#: Groups that are shown.
GROUPS = 100

#: A place in the list: timestamp (ms), partition and offset.
Mark = tuple[int, int, int]
MARK = r"-?[0-9]{1,19}\.[0-9]{1,10}\.[0-9]{1,19}"


@dataclass(frozen=True)
class LetterQuery:
    """Which dead letters to list; all that is given has to fit. `error` is a part of an error's
    class or text. With a service, a letter's state is that for this service."""

    limit: int
    after: Mark | None = None
    state: str | None = None
    service: str | None = None
    error: str | None = None
    order_id: int | None = None

    def fits(self, letter: Known) -> bool:
        """Whether it fits all but the state."""
        return (
            (self.service is None or self.service in letter.services)
            and (self.order_id is None or self.order_id == letter.about)
            and (self.error is None or self.error.casefold() in letter.error.casefold())
        )


def page_of(letters: Sequence[Known], query: LetterQuery) -> LetterPage:
    """A page of these letters."""
    states = [(one, one.state_for(query.service)) for one in letters if query.fits(one)]
    wanted = [letter for letter, state in states if query.state in (None, state)]
    rest = (one for one in wanted if query.after is None or _mark(one) < query.after)
    # One more than is shown tells whether there is more.
    newest = nlargest(query.limit + 1, rest, key=_mark)
    page = newest[: query.limit]
    return LetterPage(
        [listed_letter(letter) for letter in page],
        ".".join(map(str, _mark(page[-1]))) if len(newest) > len(page) else None,
        len(wanted),
        _counts(Counter(state for _, state in states)),
        _groups(states),
    )


def read_mark(text: str) -> Mark | None:
    """The place that `next` named, None for what is none."""
    if not re.fullmatch(MARK, text):
        return None
    timestamp, partition, offset = map(int, text.split("."))
    return timestamp, partition, offset


def _mark(letter: Known) -> Mark:
    return letter.timestamp, *letter.place


def _groups(states: Sequence[tuple[Known, State]]) -> list[ErrorGroup]:
    found: dict[str, Counter[State]] = defaultdict(Counter)
    for letter, state in states:
        found[letter.error_class or "damaged"][state] += 1
    largest = nlargest(GROUPS, found.items(), key=lambda group: group[1].total())
    return [ErrorGroup(error, _counts(counts)) for error, counts in largest]


def _counts(states: Counter[State]) -> LetterCounts:
    return LetterCounts(states["open"], states["replayed"], states["dropped"])
