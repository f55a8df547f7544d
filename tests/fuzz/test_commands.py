"""Any arguments: what was asked for, or one line and a status that says whose fault it is."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from faust.cli.base import cli
from hypothesis import example, given
from hypothesis import strategies as st

from orderapp.commands import dlq, dlq_resolve, reconcile, rules
from orderapp.commands.send import send
from orderapp.engine.errors import FatalError
from tests.e2e.worker import FAUST, environment
from tests.fuzz import few
from tests.fuzz.values import texts

COMMANDS = (
    ["dlq"], ["dlq", "list"], ["dlq", "show"], ["dlq", "replay"], ["dlq", "drop"],
    ["rules", "set"], ["rules", "set", "BLOCKED_COUNTRY"], ["rules", "test", "BLOCKED_COUNTRY"],
    ["reconcile"], ["send"], ["send", "orders"], ["send", "orders", '{"order_id":1}'],
)  # fmt: skip
WORDS = (
    "3:17", "3@17", "-1:0", "3:", "9" * 5000, "999999999:999999999999999999", "--json", "--all",
    "--limit", "0", "1", "-1", "--service", "fraud", "--error", "--since", "1h", "999999w",
    "0001-01-01", "9999-12-31T23:59:59+23:59", "--until", "--partition", "--offset", "5-1",
    "--order", "--everything", "--dry-run", "--yes", "--wait", "nan", "inf", "--", "", "\u0661",
    "\udcff", "\x1b[31m", "a\nb", "orders", "@fraud", "@orderapp.services.fraud", "--key", "-k",
    "--key-type", "--value-type", "-V", "Order", "orderapp.app", "..", "[" * 10_000,
    '{"order_id":1,"customer_id":1234,"amount":5,"country":"DE"}', "--value-serializer", "json",
    "--repeat", "-r", "--max-latency", "--state", "shadow", "--set", "countries=NG,RU",
    "limit=1", "--version", "--author",
)  # fmt: skip
ARGUMENTS = st.lists(st.one_of(st.sampled_from(WORDS), texts), max_size=6)


async def no_cluster():
    raise FatalError("Kafka is away")


def no_worker(*_, **__):
    sys.exit("orderapp: Kafka is away")


#: What is to look for Kafka, and what stands in for it.
AWAY = (
    *(
        (module, "existing_cluster", no_cluster)
        for module in (dlq, dlq_resolve, reconcile, rules)
    ),
    (send, "run_using_worker", no_worker),
)


@pytest.fixture(scope="module", autouse=True)
def kafka_is_away():
    with pytest.MonkeyPatch.context() as patch:
        for each in AWAY:
            patch.setattr(*each)
        yield


@few(350)
@given(st.sampled_from(COMMANDS), ARGUMENTS)
@example(["dlq", "list"], ["--since", "999999w"])
@example(["dlq", "list"], ["--since", "0001-01-01"])
@example(["dlq", "show"], ["3:17"])
@example(["reconcile"], ["--wait", "nan"])
@example(["reconcile"], ["more"])
@example(["send", "orders"], ["nojson", "--value-type", "Order"])
@example(["send", "orders", '{"order_id":1}'], ["--value-type", "Order"])
@example(["send", "orders"], ["[" * 10_000, "--value-type", "Order"])
@example(["send", "orders"], ["1", "--value-type", "orderapp.app"])
@example(["send"], ["@orderapp.services.fraud", "1"])
@example(["send", "orders"], ["\udcff"])
@example(["send", "orders"], ["1", "--max-latency", "nan"])
def test_arguments_are_right_or_named_in_one_line(command, arguments):
    done = CliRunner().invoke(cli, ["-A", "orderapp", *command, *arguments])

    assert isinstance(done.exception, SystemExit | None), done.exc_info
    assert done.exit_code in (0, 1, 2)
    if "--help" not in arguments and command != ["dlq"]:
        lines = done.output.strip().splitlines()
        assert len(lines) == 1
        assert len(lines[0]) < 500
        assert lines[0].isprintable()
        assert lines[0].startswith("orderapp: ")
        if done.exit_code == 1:
            assert lines == ["orderapp: Kafka is away"]


WRONG = (
    ["dlq", "show", "3;17"],
    ["dlq", "list", "--since", "\udcff"],
    ["reconcile", "--wait", "long"],
    ["reconcile", "--wait", "nan"],
    ["wörker"],
    ["agents", "more"],
    ["model", "Nope"],
    ["send"],
    ["send", "@nope", "1"],
    ["send", "orders", "nojson", "--value-type", "Order"],
    ["send", "orders", "1", "--value-type", "Nope"],
    ["send", "orders", "\udcff"],
    ["worker", "-p", "99999"],
)


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments_are_one_line_on_stderr_and_status_2(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["-A", "orderapp", *arguments])

    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("orderapp: ")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "arguments",
    [["dlq", "list", "--since", "\udcff"], ["wörker"], ["send", "orders", "\udcff"]],
)
def test_a_process_with_wrong_arguments_ends_with_one_line_and_status_2(tmp_path, arguments):
    done = subprocess.run(
        [FAUST, "-A", "orderapp", *arguments],
        env=environment(tmp_path / "data", {}),
        cwd=tmp_path,
        capture_output=True,
        timeout=150,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("orderapp: ")
    assert [*tmp_path.iterdir()] == []
