"""Real workers: `faust -A orderapp worker` in processes of their own."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests.ports import free_port

T = TypeVar("T")

FAUST = str(Path(sys.executable).with_name("faust"))
READY_SECONDS = 90
#: Until an answer, an effect or an end is given up: none of them is a property of its own, and
#: a loaded machine may pause for many seconds.
SECONDS = 60
#: Between two looks at a process that is to end.
STEP = 0.05
#: What of our environment a worker gets: the last ones for fetching Kafka, in a network whose
#: proxy has certificates of its own.
KEPT = ("PATH", "HOME", "LANG", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")


def environment(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """That of a worker: nothing of orderapp's comes from outside."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # For apps that are themselves a part of the tests.
    root = str(Path(__file__).parents[2])
    return {**kept, "PYTHONPATH": root, "ORDERAPP_DATA_DIR": str(data_dir), **settings}


def faust(
    data_dir: Path, *arguments: str, timeout: float = 150, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of `faust -A orderapp` to its end."""
    return subprocess.run(
        [FAUST, "-A", "orderapp", *arguments],
        env=environment(data_dir, settings),
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def eventually(check: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """Return what `check` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, f"after {seconds} s: {what}; last: {result!r}"
        time.sleep(0.1)
    return result


def rest(seconds: float) -> None:
    """Sleep so that others could run for so long, too: a pause of the machine is one `STEP`."""
    for _ in range(round(seconds / STEP)):
        time.sleep(STEP)


def end_of(process: "subprocess.Popen[bytes]", seconds: float = SECONDS) -> tuple[int, float]:
    """The exit status of a process that ends, and the seconds until then; a pause of the
    machine counts as one `STEP`."""
    steps, deadline = 0, time.monotonic() + seconds
    while (status := process.poll()) is None:
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, seconds)
        time.sleep(STEP)
        steps += 1
    return status, steps * STEP


class Worker:
    """One worker process and its log."""

    def __init__(self, data_dir: Path, app: str = "orderapp", **settings: str) -> None:
        self.command, self.directory = [FAUST, "-A", app], data_dir.parent
        # As a rule a test sends its own orders.
        self.settings = {"ORDERAPP_ORDER_INTERVAL": "3600", **settings}
        self.data_dir = data_dir
        self.port = free_port()
        self.log_file = data_dir.parent / f"worker-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        #: How long the last `terminate` took; a pause of the machine counts as one `STEP`.
        self.took = 0.0

    def start(self) -> "Worker":
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "worker", "-l", "info", "-p", str(self.port)],
                env=environment(self.data_dir, self.settings),
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        return self

    @property
    def log(self) -> str:
        """What it has said, in whole lines: the last one may be half written while it runs."""
        ended = self.process is not None and self.process.poll() is not None
        said = self.log_file.read_text(errors="replace")
        return said if ended else said[: said.rfind("\n") + 1]

    @property
    def kafka(self) -> str:
        """The bootstrap server of the embedded broker that it started or found."""
        found = re.findall(r"the embedded Kafka at port (\d+)", self.log)
        assert found, self.log
        return f"127.0.0.1:{found[-1]}"

    def get(self, path: str, timeout: float = SECONDS) -> tuple[int, Any]:
        """The status and the JSON of an answer; status 0 while nobody answers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            try:
                with urllib.request.urlopen(url, timeout=timeout) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as answer:
                return answer.code, json.load(answer)
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)

    def text(self, path: str) -> str:
        """An answer that is no JSON."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return str(answer.read().decode())

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the worker ended:\n{self.log[-5000:]}"
        return self.get("/readyz")[0] == 200

    def wait_ready(self, seconds: float = READY_SECONDS) -> "Worker":
        try:
            eventually(self.is_ready, "the worker is ready", seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.get('/readyz')}\n{self.log[-5000:]}"
            ) from None
        return self

    def order(self, order_id: int) -> dict[str, Any] | None:
        """An order with its alerts and its payment, None while it is not stored.

        That a store or Kafka did not answer in time (503) says neither."""

        def told() -> tuple[int, Any] | None:
            got = self.get(f"/api/orders/{order_id}")
            return got if got[0] in (200, 404) else None

        found = eventually(told, f"an answer about order {order_id}")
        assert found is not None
        return found[1]["order"] if found[0] == 200 else None

    def paid_order(self, order_id: int) -> dict[str, Any] | None:
        order = self.order(order_id)
        return order if order and order["payment"] else None

    def alerts(self, order_id: int) -> list[dict[str, Any]]:
        """Those of an order; none while it is not stored."""
        order = self.order(order_id)
        return order["alerts"] if order else []

    def terminate(self, seconds: float = SECONDS) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = SECONDS) -> int:
        """The exit status, once it has ended by itself."""
        assert self.process is not None
        status, self.took = end_of(self.process, seconds)
        return status

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the worker did not stop:\n{self.log[-5000:]}") from None


@contextlib.contextmanager
def workers(data_dir: Path) -> Iterator[Callable[..., Worker]]:
    """A factory of workers of one data directory; all end with the block."""
    started: list[Worker] = []

    def start(app: str = "orderapp", **settings: str) -> Worker:
        worker = Worker(data_dir, app, **settings)
        started.append(worker)
        return worker.start()

    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [stack.callback(worker.close) for worker in started])
        yield start
