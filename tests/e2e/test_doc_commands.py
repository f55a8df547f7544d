"""The commands of README and docs on one pipeline, as they stand: none of them fails."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.delivery.failure import Failure
from tests import doc_commands
from tests.e2e import records
from tests.e2e.worker import environment, eventually, workers
from tests.records import record

#: Their examples come after all others, which find no dead letters.
LAST = ("docs/dead-letters.md", "docs/runbook.md")
PARTITIONS = [*range(6)]
COMMANDS = [each for each in doc_commands.commands() if not doc_commands.elsewhere(each)]


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """Has the order that docs/api.md asks for."""
    with workers(tmp_path_factory.mktemp("docs") / "data") as start:
        worker = start().wait_ready()
        records.send(worker.kafka, [records.order(2_251_800_000_000_000)])
        eventually(lambda: worker.paid_order(2_251_800_000_000_000), "it is paid")
        yield worker


def dead_letters(worker, partition, count, error):
    """Put dead letters of payment at the end of a partition."""
    keys = (str(n).encode() for n in itertools.count(1))
    here = (k for k in keys if DefaultPartitioner()(k, PARTITIONS, PARTITIONS) == partition)
    letters = [records.order(int(key)) for key in itertools.islice(here, count)]
    headers = headers_for(
        record(topic="orders", partition=partition), Failure("payment", error)
    )
    records.send(worker.kafka, letters, "orders-dlq", headers)


def run(worker, command):
    """What it prints; it must end with 0. A question is answered with yes."""
    here = command.text.replace("localhost:6066", f"localhost:{worker.port}")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here],
        cwd=worker.directory,
        env={**environment(worker.data_dir, {}), "PATH": path},
        input="y\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def is_as_shown(printed, shown):
    """Line by line; `…` stands for any lines."""
    pattern = re.escape(shown).replace(re.escape("…\n"), r"(.*\n)*")
    return re.fullmatch(pattern, printed)


def check(worker, command):
    if command.text.startswith("curl"):
        # Until it is no problem, such as Kafka or a store that did not answer in time.
        eventually(lambda: '"title"' not in run(worker, command), str(command))
        return
    printed = run(worker, command)
    # Numbers of a report are an example.
    if command.shown and " reconcile" not in command.text:
        assert is_as_shown(printed, command.shown), f"{command}\n{printed}"


def test_what_asks_and_changes_works_as_it_stands(worker):
    for command in COMMANDS:
        if command.page not in LAST:
            check(worker, command)


@pytest.mark.parametrize("page", LAST)
def test_dead_letters_are_listed_replayed_and_dropped(worker, page):
    dead_letters(worker, 4, 3, TimeoutError("no answer"))
    dead_letters(worker, 3, 18, ValueError("no"))

    for command in COMMANDS:
        if command.page == page:
            check(worker, command)
