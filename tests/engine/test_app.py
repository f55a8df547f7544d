"""How a worker ends."""

import asyncio
import io
import signal
from types import SimpleNamespace

import faust
import pytest
from mode.worker import exiting

from orderapp.engine.app import BatchApp, Worker
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.cluster import Cluster


@pytest.fixture
def end(monkeypatch):
    """Ends a worker with this error, as Faust does, and returns the exit status."""

    def end(error, *, start=None, failure=None):
        def execute(_self):
            with exiting(file=io.StringIO()):
                if error is not None:
                    raise error

        monkeypatch.setattr(faust.Worker, "execute_from_commandline", execute)
        worker = Worker.__new__(Worker)
        worker.app = SimpleNamespace(failure=failure)
        worker._starting_fut = start
        with pytest.raises(SystemExit) as ended:
            worker.execute_from_commandline()
        return ended.value.code

    return end


async def ended(**how):
    start = asyncio.get_running_loop().create_future()
    if "error" in how:
        start.set_exception(how["error"])
        start.exception()
    elif "cancelled" in how:
        start.cancel()
    else:
        start.set_result(None)
    return start


async def test_an_end_in_order_is_one_line(end, caplog):
    caplog.set_level("INFO")

    assert end(None, start=await ended()) == 0

    assert caplog.messages == ["Worker stopped"]


@pytest.mark.parametrize("start", [{}, {"cancelled": True}, {"error": OSError("of the start")}])
async def test_an_error_of_the_stop_is_told(end, caplog, start):
    caplog.set_level("INFO")

    assert end(ValueError("of the stop"), start=await ended(**start)) == 1

    told, last = caplog.records
    assert (
        told.getMessage() == "the worker did not shut down cleanly: ValueError('of the stop')"
    )
    assert told.exc_info[1].args == ("of the stop",)
    assert last.getMessage() == "Worker stopped"


async def test_an_error_of_the_start_is_told_by_faust_alone(end, caplog):
    caplog.set_level("INFO")
    error = OSError("of the start")

    assert end(error, start=await ended(error=error)) == 1

    assert caplog.messages == ["Worker stopped"]


async def test_what_the_app_said_itself_is_not_told_again(end, caplog):
    caplog.set_level("INFO")

    assert end(ValueError("later"), failure="the store says no") == 1
    assert end(None, failure="the store says no") == 1

    assert caplog.messages == ["Worker stopped"] * 2


@pytest.mark.parametrize("stopping", [False, True])
def test_what_fails_because_of_the_stop_is_no_failure(monkeypatch, stopping):
    signals = []
    monkeypatch.setattr(signal, "raise_signal", signals.append)
    app = BatchApp("test", cluster=lambda: Cluster(("127.0.0.1:1",)))
    if stopping:
        app._stopped.set()

    app.fail(FatalError("the broker was left before it was up"))

    assert app.failure == (None if stopping else "the broker was left before it was up")
    assert signals == ([] if stopping else [signal.SIGTERM])
