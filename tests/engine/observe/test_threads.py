"""What each thread has used is told by its name."""

import sys
import threading
import time

import pytest

from orderapp.engine.observe.metrics import REGISTRY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has these figures")


def told(thread):
    return REGISTRY.get_sample_value("orderapp_thread_cpu_seconds_total", {"thread": thread})


def test_a_busy_thread_is_told_from_one_that_waits():
    done, worked = threading.Event(), threading.Event()

    def work():
        while time.thread_time() < 0.3:
            pass
        worked.set()
        done.wait()

    threads = [
        threading.Thread(target=work, name="test-busy"),
        threading.Thread(target=done.wait, name="test-idle"),
        threading.Thread(target=done.wait, name="test-idle"),
    ]
    for thread in threads:
        thread.start()
    worked.wait(60)
    busy, idle = told("test-busy"), told("test-idle")
    done.set()
    for thread in threads:
        thread.join()

    assert 0.25 <= busy < 1
    assert idle < 0.1
    assert told("test-busy") is None
