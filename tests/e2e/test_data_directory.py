"""The data directory: for its owner alone, and saved and restored as the documentation says."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.worker import eventually, faust, workers

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"


def run_documented(name, directory):
    """Run a block of commands of `docs/deploy.md` as it stands."""
    (commands,) = re.findall(rf"<!-- {name} -->\n```sh\n(.*?)```", DEPLOY.read_text(), re.S)
    python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-ec", commands], cwd=directory, env={"PATH": python}, check=True, timeout=150
    )


def loose(directory):
    """What in it others may use, by its name."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        try:
            found[str(path)] = stat.S_IMODE(path.lstat().st_mode)
        except FileNotFoundError:  # Kafka deletes files while we look
            continue
    assert len(found) > 50
    return [path for path, mode in found.items() if mode & 0o077]


def loosen(directory):
    """As an earlier version has left it."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def orders_in(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        orders = {row[0] for row in connection.execute("SELECT order_id FROM orders")}
        (counted,) = connection.execute("SELECT total(orders) FROM countries").fetchone()
        assert counted == len(orders), "its totals are those of the same moment"
        return orders


def lag(worker):
    """Of analytics, in five topics of six partitions; None before it reads all of them."""
    found = re.findall(
        r"^orderapp_consumer_lag_records\{.*\} (\S+)$", worker.text("/metrics"), re.M
    )
    return sum(map(float, found)) if len(found) == 30 else None


@pytest.fixture
def start(tmp_path):
    with workers(tmp_path / "orderapp-data") as factory:
        yield factory


def test_it_is_private_and_a_backup_made_while_a_worker_writes_can_be_restored(start, tmp_path):
    settings = {"ORDERAPP_ORDER_INTERVAL": "0.02", "ORDERAPP_PAYMENT_DELAY": "0"}
    worker = start(**settings).wait_ready()
    data, copy = worker.data_dir, tmp_path / "backup" / "orders.db"
    eventually(lambda: len(orders_in(data / "orders.db")) > 50, "orders are stored")
    assert loose(data) == []
    before = orders_in(data / "orders.db")

    run_documented("backup", tmp_path)

    saved = orders_in(copy)
    assert before <= saved
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    eventually(lambda: len(orders_in(data / "orders.db")) > len(saved) + 20, "it goes on")
    worker.terminate()
    everything = orders_in(data / "orders.db")

    run_documented("restore", tmp_path)

    assert orders_in(data / "orders.db") == saved < everything
    loosen(data)
    again = start(ORDERAPP_SERVICES="analytics", ORDERAPP_GROUP="restore-1").wait_ready()
    assert f"{data} had the mode 755: from now on it is for its owner alone" in again.log
    assert loose(data) == []
    eventually(lambda: lag(again) == 0, "it has read everything again")
    again.terminate()
    # And orders that Kafka had, and the first worker had not stored when it stopped.
    assert orders_in(data / "orders.db") >= everything
    start().wait_ready()
    result = faust(data, "reconcile", "--wait", "90")
    assert result.returncode == 0, result.stdout + result.stderr
