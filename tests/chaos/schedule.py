"""What happens when: a plan that is the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Seconds before the first fault.
WARM_UP = 4.0
#: Chance that a fault comes while the one before it is still felt.
OVERLAP = 0.35
#: Seconds between two faults when they may overlap, and between two bursts of records.
SOON, BURSTS = (1.0, 5.0), (4.0, 12.0)


@dataclass(frozen=True)
class Kind:
    """How long a fault lasts (seconds), and how long it is felt after that."""

    seconds: tuple[float, float]
    settle: float = 0.0
    #: Kafka or the store is away meanwhile: no takeover can be asked for.
    away: bool = False
    #: A burst of records, which disturbs no worker.
    burst: bool = False
    #: How often it comes while one of weight 1 comes once.
    weight: int = 1
    #: The store that can have it; None: any.
    store: str | None = None


@dataclass(frozen=True)
class Strike:
    """One planned fault: `at` seconds after the start, for `seconds`.

    `pick` (0 to 1) chooses its target, `size` (0 to 1) how much of it there is."""

    at: float
    kind: str
    seconds: float
    pick: float
    size: float


def plan(seed: int, seconds: float, kinds: Mapping[str, Kind]) -> list[Strike]:
    """The strikes of a run, all over before `seconds`, in the order of their time."""
    rng = random.Random(seed)
    shaking = [
        name for name, kind in kinds.items() if not kind.burst for _ in range(kind.weight)
    ]
    bursts = [name for name, kind in kinds.items() if kind.burst]
    strikes = _shaking(rng, seconds, kinds, shaking) + _bursts(rng, seconds, kinds, bursts)
    return sorted(strikes, key=lambda strike: strike.at)


def exactly(
    seed: int, seconds: float, kinds: Mapping[str, Kind], counts: Mapping[str, int]
) -> list[Strike]:
    """So many strikes of each kind, spread over the run; those that are felt in turn."""
    rng = random.Random(seed)
    names = [name for name, count in counts.items() for _ in range(count)]
    shaking = _shuffled(rng, [name for name in names if not kinds[name].burst])
    bursts = _shuffled(rng, [name for name in names if kinds[name].burst])
    strikes = []
    for group in (shaking, bursts):
        step = (0.9 * seconds - WARM_UP) / max(1, len(group))
        for number, name in enumerate(group):
            at = WARM_UP + step * (number + 0.5 * rng.random())
            strikes.append(_strike(rng, at, name, kinds[name]))
    return sorted(strikes, key=lambda strike: strike.at)


def _shaking(
    rng: random.Random, seconds: float, kinds: Mapping[str, Kind], names: Sequence[str]
) -> list[Strike]:
    strikes: list[Strike] = []
    at, deck = WARM_UP, _first_deck(rng, names)
    while names:
        deck = deck or _shuffled(rng, names)
        name = deck.pop()
        strike = _strike(rng, at, name, kinds[name])
        if at + strike.seconds > seconds:
            return strikes
        strikes.append(strike)
        felt = strike.seconds + kinds[name].settle
        at += rng.uniform(*SOON) + (0.0 if rng.random() < OVERLAP else felt)
    return strikes


def _first_deck(rng: random.Random, names: Sequence[str]) -> list[str]:
    # A short run must have a takeover in it, too: the last of the deck comes first.
    deck = _shuffled(rng, names)
    if "kill" in deck:
        deck.remove("kill")
        deck.append("kill")
    return deck


def _bursts(
    rng: random.Random, seconds: float, kinds: Mapping[str, Kind], names: Sequence[str]
) -> list[Strike]:
    strikes: list[Strike] = []
    at = rng.uniform(*BURSTS)
    while names and at < seconds:
        name = rng.choice(names)
        strike = _strike(rng, at, name, kinds[name])
        if at + strike.seconds <= seconds:
            strikes.append(strike)
        at += rng.uniform(*BURSTS)
    return strikes


def _strike(rng: random.Random, at: float, name: str, kind: Kind) -> Strike:
    return Strike(
        at=round(at, 2),
        kind=name,
        seconds=round(rng.uniform(*kind.seconds), 2),
        pick=rng.random(),
        size=rng.random(),
    )


def _shuffled(rng: random.Random, names: Sequence[str]) -> list[str]:
    deck = list(names)
    rng.shuffle(deck)
    return deck
