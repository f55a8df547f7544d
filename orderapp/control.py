"""Rules are changed live: `orderapp-control` is followed, and changes are sent to it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from orderapp import topics
from orderapp.app import app
from orderapp.changes import Changes, changed
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.following import Follower
from orderapp.judging import rules
from orderapp.models import RuleChange, RuleState, now
from orderapp.rule import Rule

TOPIC = topics.control.name

changes = Changes(rules, app.decoder(TOPIC).one)
#: That of a worker, which begins with it.
follower = Follower(lambda: app.cluster, TOPIC, changes.take)

with app.services.declaring("web"):
    app.declare("web", sends=topics.control)
    app.follow(follower)


class WrongVersion(FatalError):  # noqa: N818 - what is wrong is said by its text
    """Another version of the rule is in force than that which was to be changed."""


class Wanted(NamedTuple):
    """What a rule shall be from now on."""

    rule: str
    #: None: as it is.
    state: RuleState | None
    #: The other parameters stay as they are.
    values: Mapping[str, Any]
    author: str
    #: Only if this one is in force; None: whatever is.
    version: int | None = None


async def change(
    wanted: Wanted,
    look: Callable[[], Awaitable[None]],
    send: Callable[[RuleChange], Awaitable[object]],
) -> tuple[Rule, Rule]:
    """Change a rule; what it was, and what it is (the same if there is nothing to change).

    `look` brings `rules` up to date (`Follower.look`), and `send` returns when Kafka has
    confirmed the change. Raises `WrongVersion`, ValueError for values that are not allowed, and
    whatever these two raise."""
    await look()
    before = rules.all[wanted.rule]
    if wanted.version not in (None, before.version):
        raise _wrong_version(before, f"not {wanted.version}")
    message = topics.control.message(
        rule=before.id,
        state=wanted.state or before.state,
        version=before.version + 1,
        parameters=before.written(wanted.values),
        changed_at=now(),
        author=wanted.author,
    )
    after = changed(rules.all, message)
    if (after.state, after.values) == (before.state, before.values):
        return before, before
    await send(message)
    await look()
    if message not in changes.taken:
        raise _wrong_version(rules.all[before.id], "somebody else was quicker")
    return before, after


def _wrong_version(rule: Rule, why: str) -> WrongVersion:
    return WrongVersion(
        f"{rule.id} has version {rule.version}, {why}: nothing was changed; look at it, and "
        "try again"
    )
