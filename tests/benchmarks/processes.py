"""The processes of a contender: started, frozen, watched and ended together."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

ROOT = Path(__file__).parents[2]
#: Of our own environment, what a contender gets. Settings of a user's shell must not change
#: what is measured.
INHERITED = (
    "HOME", "LANG", "LC_ALL", "M2_REPO", "PATH", "REQUESTS_CA_BUNDLE", "TMPDIR", "VIRTUAL_ENV",
)  # fmt: skip


class Processes:
    """Runs `commands` and adds up what they and their children use.

    A process that ends keeps counting with what was last seen of it."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str],
        directory: Path,
    ) -> None:
        self.commands = commands
        self._directory = directory
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._environment = {**inherited, "PYTHONPATH": str(ROOT), **environment}
        self._running: list[subprocess.Popen[bytes]] = []
        self._cpu: dict[int, float] = {}
        #: The most memory that all of them held at one time, in bytes (resident).
        self.peak = 0

    def __enter__(self) -> Self:
        self._directory.mkdir()
        try:
            for number, command in enumerate(self.commands):
                with (self._directory / f"{number}.log").open("wb") as log:
                    self._running.append(
                        subprocess.Popen(
                            command,
                            cwd=self._directory,
                            env=self._environment,
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=log,
                            # The terminal's Ctrl-C is for us, who end them.
                            start_new_session=True,
                        )
                    )
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    @property
    def pids(self) -> list[int]:
        """The processes that were started, without their children."""
        return [process.pid for process in self._running]

    def _all(self) -> list[psutil.Process]:
        found = []
        for process in self._running:
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                found += [parent, *parent.children(recursive=True)]
        return found

    def cpu(self) -> float:
        """Seconds of user and system time until now; notes the memory too."""
        memory = 0
        for process in self._all():
            with suppress(psutil.NoSuchProcess), process.oneshot():
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                memory += process.memory_info().rss
        self.peak = max(self.peak, memory)
        return sum(self._cpu.values())

    def freeze(self) -> None:
        """Stop them where they are, until `resume`."""
        processes = self._all()
        for process in processes:
            process.suspend()
        for process in processes:
            while process.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
                time.sleep(0.001)

    def resume(self) -> None:
        for process in self._all():
            process.resume()

    def ended(self) -> bool:
        """Whether one of them has ended."""
        return any(process.poll() is not None for process in self._running)

    def terminate(self, seconds: float) -> str | None:
        """End them with SIGTERM; what went wrong, if something did."""
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + seconds
        for process in self._running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return f"it did not end within {seconds:.0f} s of a SIGTERM"
        return None

    def kill(self) -> None:
        """End what is left; may be called at any time."""
        for process in self._running:
            # Each is the leader of a session of its own, which its children are in.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def last_words(self) -> str:
        """The last line that each of them wrote, for a person who looks for a reason."""
        lines = []
        for log in sorted(self._directory.glob("*.log")):
            text = log.read_text(errors="replace")
            # Java's tracebacks end with their frames.
            told = [line for line in text.splitlines() if line and not line[0].isspace()]
            lines += told[-1:]
        return " | ".join(lines) or "it wrote nothing"


def end_like_ctrl_c() -> None:
    """Let SIGTERM end us as Ctrl-C does, so that nothing is left running."""
    # A shell lets programs in the background ignore Ctrl-C, which asyncio would leave so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
