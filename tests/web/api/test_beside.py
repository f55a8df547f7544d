"""Processes beside the worker end by themselves, whatever becomes of the worker."""

import subprocess
import sys

import psutil

#: A worker, as far as it matters here; the process says its own id.
WORKER = """
import asyncio
from orderapp.web.api import beside

beside._COMMAND = "import time; sys.stdout = sys.stderr; print(os.getpid()); time.sleep(600)"
beside.asyncio.subprocess.PIPE = None  # the test reads what it says
asyncio.run(beside.run(niceness=5, seconds=5))
"""


def test_it_ends_in_time_though_its_worker_was_killed():
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        beside = psutil.Process(int(worker.stderr.readline()))
        worker.kill()
        worker.wait()

        beside.wait(30)
    assert not beside.is_running()
