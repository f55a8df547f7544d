"""The wheel as `pip install` leaves it: the program `orderapp`, from any directory."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from orderapp.engine.embedded import jars
from tests.deploy.conftest import run
from tests.e2e.worker import Worker, environment, eventually

ORDER = '{"order_id":123,"customer_id":1234,"amount":350,"country":"DE"}'


@pytest.fixture(scope="module")
def programs(archives, tmp_path_factory):
    """The `bin` of an environment with the wheel, beside the packages that are here already."""
    directory = tmp_path_factory.mktemp("installed") / "environment"
    uv, python = [sys.executable, "-m", "uv"], directory / "bin" / "python"
    run(*uv, "venv", "--quiet", "--python", sys.executable, directory)
    install = ["pip", "install", "--quiet", "--python", python, "--no-deps", "--no-index"]
    run(*uv, *install, archives[1])
    (packages,) = directory.glob("lib/python*/site-packages")
    # Only a path: the .pth files there are not read, and so no editable install is found.
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture
def settings(tmp_path):
    """A user's, of whom nothing is there but Kafka's jars and the cache of its classes."""
    jars.classpath(time.sleep)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    (tmp_path / "home").mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        # As on macOS, where it has a space.
        "XDG_DATA_HOME": str(tmp_path / "home" / "Application Support"),
        "XDG_CACHE_HOME": str(cache),
        "M2_REPO": str(jars.maven_repository()),
        "PYTHONPATH": "",
        "ORDERAPP_DATA_DIR": "",
    }


@pytest.fixture
def orderapp(programs, settings, tmp_path):
    """Runs a command in a directory of its own."""

    def run_it(*arguments, program="orderapp"):
        directory = tmp_path / "elsewhere"
        directory.mkdir(exist_ok=True)
        done = subprocess.run(
            [programs / program, *arguments],
            env=environment(tmp_path, settings),
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert [*directory.iterdir()] == []
        return done

    return run_it


@pytest.fixture
def worker(programs, settings, tmp_path):
    data = Path(settings["XDG_DATA_HOME"], "orderapp")
    data.parent.mkdir()
    worker = Worker(data, **settings)
    worker.command, worker.directory = [str(programs / "orderapp")], tmp_path / "empty"
    worker.directory.mkdir()
    yield worker
    worker.close()


def test_it_runs_from_an_empty_directory_and_commands_find_it_from_another(
    worker, orderapp, programs
):
    imported = orderapp("-c", "import orderapp; print(orderapp.__file__)", program="python")
    assert Path(imported.stdout).is_relative_to(programs.parent), imported
    worker.start().wait_ready()

    sent = orderapp("send", "orders", ORDER, "--key", "123", "--value-type", "Order")
    assert json.loads(sent.stdout)["topic"] == "orders", sent.stderr
    eventually(lambda: worker.paid_order(123), "order 123 is paid")
    checked = orderapp("reconcile", "--wait", "90")

    assert checked.stdout.endswith("1 orders: all agree.\n"), checked.stdout + checked.stderr
    assert checked.returncode == 0
    assert worker.log.count(f"Data in {worker.data_dir} ") == 1
    assert worker.terminate() == 0
    assert {path.name for path in worker.data_dir.iterdir()} >= {"faust", "kafka", "orders.db"}
    assert [*worker.directory.iterdir()] == []


def test_a_command_without_a_worker_names_where_it_looked(orderapp, tmp_path):
    listed = orderapp("dlq", "list")

    data = tmp_path / "home" / "Application Support" / "orderapp"
    assert listed.stderr.startswith(f"orderapp: {data}/kafka does not exist")
    assert not data.exists()


def test_it_says_how_it_is_used(orderapp):
    shown = orderapp("--help")

    assert shown.stdout.startswith("Usage: orderapp [OPTIONS] COMMAND")
    for command in ("worker", "reconcile", "dlq", "acls", "couchbase", "send", "agents"):
        assert f"\n  {command} " in shown.stdout
