"""Where a run works: a directory of its own, if possible on a small disk of its own, in
namespaces in which nothing outlives it.

Namespaces and the disk need Linux, and root or user namespaces. Without them the same run
works in a plain directory, and the fault `disk` is left out.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSIDE = "ORDERAPP_TEST_CHAOS_DIRECTORY"
SMALL_DISK = "ORDERAPP_TEST_CHAOS_DISK"
MEGABYTE = 1024 * 1024
#: Kafka's files of an empty broker, SQLite's, and a margin; and what an order takes.
DISK_BYTES, BYTES_PER_ORDER = 384 * MEGABYTE, 4096

_MOUNTS = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def _unshare() -> list[str] | None:
    """The command that gives a process mounts and processes of its own; None if none does."""
    for user in ((), ("--user", "--map-root-user")):
        command = ["unshare", *user, *_MOUNTS]
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            continue
        return command
    return None


def run_inside(arguments: Sequence[str], *, keep: bool) -> int:
    """Run `python -m tests.chaos` again in namespaces, and clean up behind it."""
    # A shell lets programs in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    directory = tempfile.mkdtemp(prefix="orderapp-chaos-")
    prefix = _unshare()
    if prefix is None:
        print("no namespaces here: the fault `disk` is left out", flush=True)
    child = subprocess.Popen(
        [*(prefix or []), sys.executable, "-m", "tests.chaos", *arguments],
        cwd=ROOT,
        env={**os.environ, INSIDE: directory, SMALL_DISK: "1" if prefix else ""},
        # It ends itself when this input ends, however we end; with it all that it started.
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        code = child.wait()
    except KeyboardInterrupt:
        print("\ninterrupted: everything is stopped", flush=True)
        code = 130
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if code and keep:
        print(f"the workers' logs are in {directory}", flush=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return code


def end_with_input() -> None:
    """Interrupt this process when its standard input ends."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def workplace(name: str, orders: float) -> Iterator[tuple[Path, bool]]:
    """A directory with an empty `data`; whether that is a small disk of its own."""
    directory = Path(os.environ[INSIDE]) / name
    data = directory / "data"
    data.mkdir(parents=True)
    small = bool(os.environ.get(SMALL_DISK)) and _mount(data, orders)
    try:
        yield directory, small
    finally:
        if small:
            subprocess.run(["umount", "--lazy", str(data)], check=False)


def _mount(data: Path, orders: float) -> bool:
    size = int(DISK_BYTES + orders * BYTES_PER_ORDER)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "chaos", str(data)]
    return subprocess.run(command, check=False).returncode == 0
