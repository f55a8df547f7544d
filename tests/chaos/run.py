"""One run from its start to its verdict."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import facts, lost, opinion
from tests.chaos.archive import Archive
from tests.chaos.broker import Broker
from tests.chaos.changes import Changes
from tests.chaos.crew import APP, Crew
from tests.chaos.diary import Diary
from tests.chaos.faults import FAULTS, KINDS
from tests.chaos.lag import lag
from tests.chaos.lost import Offset
from tests.chaos.observer import Observer
from tests.chaos.schedule import Strike, exactly, plan
from tests.chaos.sender import Sender
from tests.chaos.stores import Couchbase, SQLite
from tests.chaos.takeovers import Takeover, takeovers
from tests.chaos.verdict import Verdict, judge
from tests.chaos.world import World
from tests.e2e.worker import FAUST, environment

#: Seconds after the faults: to confirm what was sent, and to work off what waits.
CONFIRM_SECONDS, CATCH_UP_SECONDS = 90.0, 120.0
RECONCILE_SECONDS = 120.0
EXAMPLES = 100_000
#: Beyond its own length a fault may take this long to heal.
HEAL_SECONDS = 90.0
#: Seconds within which every worker follows a change of a rule, and those among faults that
#: freeze workers, or keep Kafka away from them.
FOLLOWED, FOLLOWED_LATE = 5.0, 30.0
#: What does neither.
MILD = {"kill", "term", "storm", "rules", "poison", "duplicates", "transaction"}


@dataclass(frozen=True)
class Options:
    """What a run is to be."""

    seed: int
    seconds: float
    rate: float
    workers: int
    faults: tuple[str, ...]
    store: str
    #: How often each of these comes; None: as the plan of the seed has it.
    strikes: Mapping[str, int] | None = None
    #: Of Couchbase's writes.
    durability: str = "majority"
    #: Share of the requests to the gateway that get no answer, at every second worker.
    gateway_timeouts: float = 0.01
    #: Seconds within which a killed worker's partitions are worked on.
    takeover_limit: float = 15.0


@dataclass
class Result:
    """What a run has shown."""

    options: Options
    diary: Diary
    sender: Sender
    observer: Observer
    verdict: Verdict
    takeovers: list[Takeover]
    handovers: list[Takeover]
    caught_up: float | None
    #: What `faust -A orderapp reconcile` says; None: it did not end.
    reconcile: dict[str, Any] | None
    #: Offsets that retention deleted before they were committed, and those that the workers
    #: have reported.
    taken: set[Offset] = field(default_factory=set)
    reported: set[Offset] = field(default_factory=set)


async def run(options: Options, directory: Path) -> Result:
    """Run the pipeline in `directory/data`, hurt it, and judge it."""
    diary = Diary()
    async with _world(options, directory, diary) as world:
        observer = Observer(world.broker.server)
        watching = asyncio.create_task(observer.run())
        looking = asyncio.create_task(world.crew.look_after())
        try:
            await world.crew.wait_ready()
            await _hurt(world, options)
            caught_up = await _catch_up(world)
            reconcile = await _reconcile(world)
            await asyncio.sleep(1)  # the observer's last look
        finally:
            for task in (looking, watching):
                if task.done():
                    diary.problem(f"the run does not see any more: {task!r}")
                task.cancel()
            await asyncio.wait([looking, watching], timeout=10)
        await world.crew.stop()
        documents = await asyncio.to_thread(world.store.documents)
        sent = world.sender.sent
        slack = FOLLOWED if MILD.issuperset(options.faults) else FOLLOWED_LATE
        done = world.changes.done
        found = await facts.gather(world.archive, sent, documents, done, slack)
        if reconcile is not None:
            diary.problems += opinion.unexplained(reconcile, found)
        return Result(
            options,
            diary,
            world.sender,
            observer,
            judge(found),
            takeovers("kill", diary, observer, sent),
            takeovers("term", diary, observer, sent),
            caught_up,
            reconcile,
            lost.offsets(found.taken),
            lost.reported(directory),
        )


@asynccontextmanager
async def _world(options: Options, directory: Path, diary: Diary) -> AsyncIterator[World]:
    data_dir = directory / "data"
    data_dir.mkdir(exist_ok=True)
    store = Couchbase(options.durability) if options.store == "couchbase" else SQLite(data_dir)
    broker, crew = Broker(data_dir), Crew(data_dir, diary)
    try:
        await asyncio.to_thread(broker.join)
        for number in range(options.workers):
            crew.add(_settings(options, store.settings, number))
        sender = Sender(broker.server, options.rate, options.seed)
        archive = Archive(broker.server)
        changes = Changes(broker.server, archive)
        yield World(
            data_dir, store.settings, diary, broker, crew, store, sender, archive, changes
        )
    finally:
        crew.kill()
        store.close()
        if not await asyncio.to_thread(broker.leave):
            diary.problem("the broker did not end after its last user")


def _settings(options: Options, store: dict[str, str], number: int) -> dict[str, str]:
    if number % 2 or not options.gateway_timeouts:
        return dict(store)
    return {**store, "ORDERAPP_FAULT_GATEWAY_TIMEOUT": str(options.gateway_timeouts)}


async def _hurt(world: World, options: Options) -> None:
    """Send orders, and let all planned faults come and go."""
    kinds = {name: KINDS[name] for name in options.faults}
    if options.strikes is None:
        strikes = plan(options.seed, options.seconds, kinds)
    else:
        strikes = exactly(options.seed, options.seconds, kinds, options.strikes)
    world.diary.say(await world.changes.begin())
    sending = asyncio.create_task(world.sender.run())
    running: list[asyncio.Task[None]] = []
    try:
        began = time.monotonic()
        for strike in strikes:
            await asyncio.sleep(max(0.0, began + strike.at - time.monotonic()))
            running.append(asyncio.create_task(_strike(world, strike)))
        await asyncio.sleep(max(0.0, began + options.seconds - time.monotonic()))
        await asyncio.gather(*running)
        world.sender.stop()
        world.diary.say(f"the faults are over; {len(world.sender.sent.orders)} orders sent")
        await asyncio.wait_for(sending, CONFIRM_SECONDS)
    finally:
        # When this is interrupted none may start a worker that nobody ends.
        for task in (*running, sending):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _strike(world: World, strike: Strike) -> None:
    try:
        async with asyncio.timeout(strike.seconds + HEAL_SECONDS):
            await FAULTS[strike.kind](world, strike)
    except Exception as error:  # the run goes on, and fails
        world.diary.problem(f"{strike.kind} could not be done: {error!r}")


async def _catch_up(world: World) -> float | None:
    """Seconds until every group has committed all there is; None when it never does."""
    began = time.monotonic()
    await world.crew.wait_ready()
    left: object = "unknown"
    while time.monotonic() - began < CATCH_UP_SECONDS:
        try:
            left = await asyncio.wait_for(lag(world.broker.server), 30)
        except Exception as error:  # Kafka may still be on its way back
            left = repr(error)
        if not left:
            return time.monotonic() - began
        await asyncio.sleep(0.5)
    world.diary.problem(f"not caught up after {CATCH_UP_SECONDS:g} s: {left}")
    return None


async def _reconcile(world: World) -> dict[str, Any] | None:
    """The app's own opinion, with every example."""
    # What is sent that is no order waits as dead letters; orders that do fail the verdict.
    options = ["--allow-dead-letters", "--json", "--limit", str(EXAMPLES)]
    command = [FAUST, "-A", APP, "reconcile", *options]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(world.data_dir, world.settings),
        cwd=world.data_dir.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), RECONCILE_SECONDS)
    except TimeoutError:
        process.kill()
        world.diary.problem(f"reconcile took more than {RECONCILE_SECONDS:g} s")
        return None
    try:
        answer = json.loads(output)
    except ValueError:
        text = (errors or output).decode(errors="replace").strip()
        world.diary.problem(f"reconcile ended with status {process.returncode}: {text[-500:]}")
        return None
    return {"status": process.returncode, "answer": answer}
