"""Any arguments: what was asked for, or one line and a status that says whose fault it is."""

import subprocess

import pytest
from click.testing import CliRunner
from faust.cli.base import cli
from hypothesis import example, given
from hypothesis import strategies as st

from orderapp.commands import dlq, dlq_resolve, reconcile
from orderapp.engine.errors import FatalError
from tests.e2e.worker import FAUST, environment
from tests.fuzz import few
from tests.fuzz.values import texts

COMMANDS = (
    ["dlq"], ["dlq", "list"], ["dlq", "show"], ["dlq", "replay"], ["dlq", "drop"],
    ["reconcile"],
)  # fmt: skip
WORDS = (
    "3:17", "3@17", "-1:0", "3:", "9" * 5000, "999999999:999999999999999999", "--json", "--all",
    "--limit", "0", "1", "-1", "--service", "fraud", "--error", "--since", "1h", "999999w",
    "0001-01-01", "9999-12-31T23:59:59+23:59", "--until", "--partition", "--offset", "5-1",
    "--order", "--everything", "--dry-run", "--yes", "--wait", "nan", "inf", "--", "", "\u0661",
    "\udcff", "\x1b[31m", "a\nb",
)  # fmt: skip
ARGUMENTS = st.lists(st.one_of(st.sampled_from(WORDS), texts), max_size=6)


async def no_cluster():
    raise FatalError("Kafka is away")


@pytest.fixture(scope="module", autouse=True)
def kafka_is_away():
    with pytest.MonkeyPatch.context() as patch:
        for module in (dlq, dlq_resolve, reconcile):
            patch.setattr(module, "existing_cluster", no_cluster)
        yield


@few(250)
@given(st.sampled_from(COMMANDS), ARGUMENTS)
@example(["dlq", "list"], ["--since", "999999w"])
@example(["dlq", "list"], ["--since", "0001-01-01"])
@example(["dlq", "show"], ["3:17"])
def test_arguments_are_right_or_named_in_one_line(command, arguments):
    done = CliRunner().invoke(cli, ["-A", "orderapp", *command, *arguments])

    assert isinstance(done.exception, SystemExit | None), done.exc_info
    assert done.exit_code in (0, 1, 2)
    if "--help" not in arguments and command != ["dlq"]:
        lines = done.output.strip().splitlines()
        if command[0] == "dlq":
            assert len(lines) == 1
            assert len(lines[0]) < 500
            assert lines[0].isprintable()
        assert [line for line in lines if line.startswith(("orderapp: ", "Error: "))]
        if done.exit_code == 1:
            assert lines == ["orderapp: Kafka is away"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["dlq", "show", "3;17"],
        ["dlq", "list", "--since", "\udcff"],
        ["reconcile", "--wait", "long"],
        ["wörker"],
        ["send"],
        ["worker", "-p", "many"],
    ],
)
def test_a_process_with_wrong_arguments_ends_without_a_traceback(tmp_path, arguments):
    done = subprocess.run(
        [FAUST, "-A", "orderapp", *arguments],
        env=environment(tmp_path / "data", {}),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr + done.stdout
    assert [*tmp_path.iterdir()] == []
