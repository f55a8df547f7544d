"""The embedded broker as the workers use it, and its processes, to be killed."""

import os
import signal
import time
from pathlib import Path

import psutil

from orderapp.engine.embedded import EmbeddedBroker
from orderapp.engine.embedded.ports import cluster_at
from tests.chaos import properties

END_SECONDS = 15.0


class Broker:
    """Joined like a worker does, so that it lives as long as the run, and no longer."""

    def __init__(self, data_dir: Path) -> None:
        properties.extend()
        self._directory = data_dir / "kafka"
        self._broker = EmbeddedBroker(data_dir)
        self.server = ""

    def join(self) -> None:
        self.server = self._broker.join()

    def answers(self) -> bool:
        return cluster_at(int(self.server.rpartition(":")[2])) is not None

    def kill(self, which: str) -> bool:
        """SIGKILL the `broker` (Java) or its `launcher`; False when there is none now."""
        process = self._process(which)
        if process is None:
            return False
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return False
        return True

    def _process(self, which: str) -> psutil.Process | None:
        pid = (self._directory / f"{which}.lock").read_text()[:20].strip()
        if not pid.isdigit():
            return None
        try:
            process = psutil.Process(int(pid))
            # A number may be another process's by now.
            ours = str(self._directory) in " ".join([*process.cmdline(), process.cwd()])
        except psutil.Error:
            return None
        return process if ours and process.pid != os.getpid() else None

    def leave(self) -> bool:
        """Stop using it, and wait for its end; False when it lives on."""
        self._broker.leave()
        deadline = time.monotonic() + END_SECONDS
        while self._process("broker") or self._process("launcher"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
