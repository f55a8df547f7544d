"""Where the time of a process goes: py-spy, attached while the orders are processed."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

RATE = 500  # samples a second
TOP = 25


class Profiler:
    """Samples one process and its threads. It needs the right to look into that process: on
    Linux root, or `kernel.yama.ptrace_scope=0`."""

    def __init__(self) -> None:
        beside = Path(sys.executable).with_name("py-spy")
        self._program = str(beside) if beside.exists() else shutil.which("py-spy")
        if self._program is None:
            sys.exit("--profile needs py-spy (pip install 'orderapp[bench]')")
        self._process: subprocess.Popen[str] | None = None

    def start(self, pid: int) -> None:
        """Begin to sample."""
        self._file = Path(tempfile.mkdtemp(prefix="orderapp-bench-")) / "stacks"
        # Not blocking: the process is never stopped for a sample, so its figures stay near
        # the truth; a few samples are thrown away instead.
        options = ["--nonblocking", "--threads", "--rate", str(RATE), "--format", "raw"]
        self._process = subprocess.Popen(
            [self._program, "record", *options, "--pid", str(pid), "-o", str(self._file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def stop(self) -> list[str]:
        """End it; the lines of a table with the functions that took most."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            output, _ = self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
        try:
            stacks = self._file.read_text()
        except FileNotFoundError:
            return [f"py-spy has no samples: {output.strip().splitlines()[-1:]}"]
        finally:
            shutil.rmtree(self._file.parent, ignore_errors=True)
        return table(stacks)


def table(stacks: str) -> list[str]:
    """The top functions of folded stacks (`thread;outer;inner count` in each line)."""
    own, within, threads = Counter(), Counter(), Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = [_without_line(frame) for frame in stack.split(";")]
        samples = int(count)
        threads[thread] += samples
        own[frames[-1] if frames else thread] += samples
        within.update(dict.fromkeys(frames, samples))
    total = sum(threads.values()) or 1
    shares = ", ".join(f"{name} {100 * n / total:.0f}%" for name, n in threads.most_common(6))
    return [
        f"{total} samples; threads: {shares}",
        f"{'own':>6}  {'within':>6}  function",
        *(
            f"{100 * count / total:5.1f}%  {100 * within[name] / total:5.1f}%  {name}"
            for name, count in own.most_common(TOP)
        ),
    ]


def _without_line(frame: str) -> str:
    # "name (path/file.py:12)", where the line is left out and the path shortened.
    name, bracket, place = frame.partition(" (")
    path, colon, line = place.rstrip(")").rpartition(":")
    if not bracket or not colon or not line.isdigit():
        return frame
    return f"{name} ({'/'.join(Path(path).parts[-2:])})"
