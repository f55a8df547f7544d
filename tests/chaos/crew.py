"""The workers: kept at their number, as a service manager would, while faults hit them."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.diary import Diary
from tests.e2e.worker import Worker

#: orderapp, on a broker that has rights.
APP = "tests.chaos.app"
LOOK_EVERY = 0.5
#: Seconds until a worker that ended by itself is started again.
RESTART_AFTER = 1.0
#: Seconds that a stop in order may take; a worker promises to end within 8, and the machine may
#: pause.
STOP_SECONDS = 30.0
READY_SECONDS = 90.0
#: What a worker says that can't start the broker since the disk is full.
FULL = "the embedded broker did not start: no space left"


class Slot:
    """A place for one worker; `busy` while a fault has to do with it."""

    def __init__(self, number: int, data_dir: Path, settings: Mapping[str, str]) -> None:
        self.number = number
        self._data_dir = data_dir
        self._settings = settings
        self.worker: Worker | None = None
        self.busy = False
        self.ready = False

    def __str__(self) -> str:
        return f"worker {self.number}"

    def start(self) -> None:
        # A new one each time, with a log of its own.
        self.worker = Worker(self._data_dir, APP, **self._settings).start()
        self.ready = False

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self.worker is not None
        assert self.worker.process is not None
        return self.worker.process

    @property
    def runs(self) -> bool:
        return self.worker is not None and self.process.poll() is None

    def kill(self) -> None:
        self.ready = False
        if self.runs:
            self.process.kill()
            self.process.wait()

    async def stop(self, diary: Diary) -> None:
        """SIGTERM, and note how it ended."""
        self.ready = False
        if not self.runs:
            return
        began = time.monotonic()
        try:
            # A worker that was frozen hears SIGTERM when it goes on.
            self.process.send_signal(signal.SIGCONT)
            assert self.worker is not None
            code = await asyncio.to_thread(self.worker.terminate, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            diary.problem(f"{self} did not end {STOP_SECONDS:g} s after SIGTERM")
            self.kill()
            return
        diary.stops.append(time.monotonic() - began)
        # One that had hardly begun has no handler for SIGTERM yet.
        if code not in (0, -signal.SIGTERM):
            how = f"{self} ended with status {code} after SIGTERM: {self.last_words()}"
            diary.ended.append(how)
            diary.say(f"{how}\n{self.worker.log[-5000:]}")

    def why_not_ready(self) -> str:
        """What `/readyz` says, or the last line of its log when it does not answer."""
        assert self.worker is not None
        status, answer = self.worker.get("/readyz", 2)
        return str(answer) if status else self.last_words()

    def last_words(self) -> str:
        assert self.worker is not None
        lines = [line for line in self.worker.log.splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it wrote nothing"


class Crew:
    """All workers of one data directory."""

    def __init__(self, data_dir: Path, diary: Diary) -> None:
        self.slots: list[Slot] = []
        self._extra: list[Slot] = []
        self._data_dir = data_dir
        self._diary = diary
        self._numbers = 0
        #: Held by who starts guests, and by who needs every worker.
        self.turn = asyncio.Lock()

    def add(self, settings: Mapping[str, str]) -> Slot:
        """One more worker for the whole run."""
        slot = self.extra(settings)
        self._extra.remove(slot)
        self.slots.append(slot)
        return slot

    def extra(self, settings: Mapping[str, str]) -> Slot:
        """A worker for a while, which nobody starts again."""
        self._numbers += 1
        slot = Slot(self._numbers, self._data_dir, settings)
        self._extra.append(slot)
        slot.start()
        return slot

    def pick(self, share: float) -> Slot | None:
        """One that no other fault is busy with, rather one that has partitions."""
        free = [slot for slot in self.slots if slot.runs and not slot.busy]
        ready = [slot for slot in free if slot.ready] or free
        return ready[int(share * len(ready))] if ready else None

    @asynccontextmanager
    async def everyone(self) -> AsyncIterator[list[Slot]]:
        """All workers, when no other fault is busy with any; those that do not run then are
        started."""
        async with self.turn:
            while any(slot.busy or not slot.runs for slot in self.slots):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            for slot in self.slots:
                slot.busy = True
            try:
                yield self.slots
            finally:
                for slot in self.slots:
                    if not slot.runs:
                        slot.start()
                    slot.busy = False

    async def look_after(self) -> None:
        """Start again what ended by itself; runs until it is cancelled."""
        while True:
            for slot in self.slots:
                if not slot.busy and not slot.runs:
                    await self._start_again(slot)
                elif not slot.ready and not slot.busy:
                    await self._look(slot)
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, slot: Slot) -> None:
        worker = slot.worker
        assert worker is not None
        status, _ = await asyncio.to_thread(worker.get, "/readyz", 2)
        # It may be another one by now.
        slot.ready = status == 200 and slot.worker is worker and slot.runs

    async def comes_up(self, slot: Slot, seconds: float) -> None:
        """Return when it is ready, has ended, or so many seconds have passed."""
        deadline = time.monotonic() + seconds
        while slot.runs and not slot.ready and time.monotonic() < deadline:
            await self._look(slot)
            await asyncio.sleep(0.1)

    async def _start_again(self, slot: Slot) -> None:
        assert slot.worker is not None
        how = f"{slot} ended with status {slot.process.poll()}: {slot.last_words()}"
        if FULL in slot.worker.log:
            self._diary.ended.append(how)
        else:
            self._diary.problem(how)  # no other fault is a reason for a worker to end
        self._diary.say(slot.worker.log[-5000:])
        await asyncio.sleep(RESTART_AFTER)
        if not slot.busy:
            slot.start()

    async def wait_ready(self) -> None:
        """Until all are; needs `look_after`."""
        deadline = time.monotonic() + READY_SECONDS
        while not all(slot.ready for slot in self.slots):
            if time.monotonic() > deadline:
                late = [f"{s}: {s.why_not_ready()}" for s in self.slots if not s.ready]
                self._diary.problem(f"not ready after {READY_SECONDS:g} s: {'; '.join(late)}")
                return
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """All in order, at once."""
        slots = [*self.slots, *self._extra]
        await asyncio.gather(*(slot.stop(self._diary) for slot in slots))

    def kill(self) -> None:
        """Whatever still runs; may be called at any time."""
        for slot in [*self.slots, *self._extra]:
            slot.kill()
