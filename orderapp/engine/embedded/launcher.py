"""Holds the broker: starts Java, starts it again when it dies, ends it after the last user.

It is run as a script by its path (`python -I -S`), imports neither faust nor orderapp, and
so costs about 10 MB for as long as the broker lives. Three lock files in the working
directory tell who is there:

- `users.lock`: shared, held by every process that uses the broker. When the launcher gets it
  exclusively, the last user has gone; it keeps it until its own end, so that a newcomer waits
  until there is room for a new broker.
- `launcher.lock`: inherited from the process that started the launcher; held until its end.
- `broker.lock`: inherited by Java, so that it also shows a Java that outlived its launcher.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.25
LONGEST_DELAY = 10.0
STEADY_SECONDS = 10.0
#: Until then a broker that has no cache of its classes may have more important things to do.
TRAIN_AFTER_SECONDS = 20.0
#: By which Java ends itself when it meets what can't be.
CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL)
CACHE_OPTION = "-XX:AOTCache="
LOG_FILE = "broker.log"
LOG_BYTES = 16 * 1024 * 1024

# A guard in the background kills Java ($$) when its input ends without a line, that is, when
# the holder of the other end died without saying goodbye, by SIGKILL for example. It exists
# before Java does, and needs nothing that only Linux has.
GUARD = 'exec 3<&0 </dev/null; (read -r _ <&3 || kill -KILL $$) & exec "$@" 3<&-'


class Java:
    """A Java process that cannot outlive this one."""

    def __init__(self, command: list[str], *, log: int, inherit: Sequence[int] = ()) -> None:
        self.process = subprocess.Popen(  # noqa: S603  # a command of our own
            ["/bin/sh", "-c", GUARD, "guard", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=inherit,
        )

    def exit_code(self) -> int | None:
        """None while it runs; afterwards the guard is gone too."""
        code = self.process.poll()
        if code is not None:
            self._dismiss_guard()
        return code

    def stop(self) -> None:
        """Ask it to end, and make it end after `GRACE_SECONDS`."""
        self.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        assert self.process.stdin is not None  # noqa: S101  # it was opened with PIPE
        if not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # somebody killed the guard
                self.process.stdin.write(b"\n")
                self.process.stdin.close()


def say(text: str) -> None:
    """One line in the broker's log."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    os.write(sys.stderr.fileno(), f"{stamp} launcher - {text}\n".encode())


def locked(fd: int, timeout: float = 0.0) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(POLL_SECONDS, timeout))
        else:
            return True


def write_pid(fd: int, pid: int) -> None:
    # Always of one width, so that a reader never finds half of it.
    os.pwrite(fd, f"{pid:<20}\n".encode(), 0)


def take_over(broker: int) -> bool:
    """Get the broker's lock, from a Java that lost its launcher and its guard if need be."""
    if locked(broker, GRACE_SECONDS):
        return True
    pid = os.pread(broker, 20, 0).strip()
    if pid.isdigit():
        say(f"ending the broker {int(pid)}, which lost its launcher")
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    return locked(broker, GRACE_SECONDS)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def trim_log() -> None:
    """Keep the log and one older part, each bounded, however long the broker runs."""
    if os.fstat(sys.stderr.fileno()).st_size > LOG_BYTES:
        shutil.copyfile(LOG_FILE, f"{LOG_FILE}.1")
        os.ftruncate(sys.stderr.fileno(), 0)


def without_cache(command: list[str], code: int) -> list[str]:
    """The command after Java has ended so: when it crashed, without its cache of classes, which
    may be damaged, and is removed."""
    if -code not in CRASHES:
        return command
    caches = [part for part in command if part.startswith(CACHE_OPTION)]
    for cache in caches:
        say(f"it goes on without {cache.removeprefix(CACHE_OPTION)}")
        Path(cache.removeprefix(CACHE_OPTION)).unlink(missing_ok=True)
    return [part for part in command if part not in caches]


class Training:
    """`trainer.py`, once, beside a broker that runs."""

    def __init__(self, task: dict[str, object] | None) -> None:
        self.task = task
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        if self.task is None:
            return
        task, self.task = self.task, None
        trainer = Path(__file__).with_name("trainer.py")
        self.process = subprocess.Popen(  # noqa: S603  # our own script, run by our own Python
            [sys.executable, "-I", "-S", str(trainer), str(task["directory"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdin is not None  # noqa: S101  # it was opened with PIPE
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()  # it ends with its input
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
            self.process.kill()


class Launcher:
    """Keeps one broker running for as long as somebody uses it."""

    def __init__(self, users: int, broker: int, training: Training) -> None:
        self.users, self.broker, self.training = users, broker, training

    def run(self, command: list[str], ports: list[int]) -> int:
        """Return 0 after the last user has left, 1 when the broker cannot run."""
        failures = 0
        while self.ports_become_free(ports):
            started = time.monotonic()
            code = self.run_once(command)
            if code is None:
                return 0
            if time.monotonic() - started > STEADY_SECONDS:
                failures = 0
            elif code == 1 and failures == 0:
                return 1  # Kafka's word for a start that cannot succeed: tell who waits
            delay = min(0.25 * 2**failures, LONGEST_DELAY)
            failures += 1
            say(f"the broker ended (exit code {code}); starting it again in {delay:g} s")
            command = without_cache(command, code)
            if self.everybody_left_within(delay):
                return 0
        say(f"something else holds a port of the broker ({ports})")
        return 1

    def run_once(self, command: list[str]) -> int | None:
        """Run Java to its end; its exit code, or None when it was stopped as nobody is left."""
        began = time.monotonic()
        java = Java(command, log=sys.stderr.fileno(), inherit=[self.broker])
        write_pid(self.broker, java.process.pid)
        while (code := java.exit_code()) is None:
            if self.everybody_left_within(POLL_SECONDS):
                java.stop()
                return None
            trim_log()
            if time.monotonic() - began > TRAIN_AFTER_SECONDS:
                self.training.begin()
        return code

    def ports_become_free(self, ports: list[int]) -> bool:
        deadline = time.monotonic() + GRACE_SECONDS
        while not all(map(is_free, ports)):
            if time.monotonic() >= deadline or self.everybody_left_within(POLL_SECONDS):
                return False
        return True

    def everybody_left_within(self, seconds: float) -> bool:
        return locked(self.users, seconds)


def stand_alone() -> None:
    """Let no terminal and no parent end the launcher: it ends when its users have."""
    if os.fork():
        os._exit(0)  # the starter waits for nothing, and keeps no zombie
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_IGN)
    # A handler instead of SIG_IGN: Java would inherit that, and could not be stopped. A
    # service manager sends SIGTERM to all processes at once; the workers need the broker
    # for their last commits.
    signal.signal(signal.SIGTERM, lambda *_: None)


def main() -> int:
    """Read the task (JSON) from standard input; standard error is the broker's log."""
    task = json.load(sys.stdin)
    stand_alone()
    write_pid(task["launcher_lock"], os.getpid())
    users = os.open("users.lock", os.O_RDWR)
    broker = os.open("broker.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not take_over(broker):
        say("another broker runs in this directory")
        return 1
    training = Training(task["training"])
    try:
        return Launcher(users, broker, training).run(task["command"], task["ports"])
    finally:
        training.end()


if __name__ == "__main__":
    sys.exit(main())
