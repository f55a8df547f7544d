"""What is the same for all commands: versions, help, completion, and what fits a terminal."""

import io
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner
from faust.cli.base import cli
from faust.utils.terminal.tables import table

from orderapp.app import settings
from orderapp.commands import dlq_print, fit, worker
from orderapp.commands.progress import Progress
from orderapp.commands.rules_print import rules_as_text
from orderapp.couchbase_settings import Couchbase
from orderapp.judging import rules
from tests.commands.test_dlq import letter
from tests.e2e.worker import environment

#: As an installer writes it.
PROGRAM = f"#!{sys.executable}\nimport sys\nfrom orderapp import app\nsys.exit(app.main())\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 60 columns."""
    monkeypatch.setattr(fit, "room", lambda: 60)
    monkeypatch.setattr(dlq_print, "room", lambda: 60)


@pytest.fixture
def run(tmp_path):
    """Runs a line of bash, in which `orderapp` is there."""
    program = tmp_path / "orderapp"
    program.write_text(PROGRAM)
    program.chmod(0o755)

    def call(line):
        known = environment(tmp_path / "data", {})
        known["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line], env=known, capture_output=True, text=True, check=False,
            timeout=120, cwd=tmp_path,
        )  # fmt: skip

    return call


def test_the_version_is_orderapps_and_fausts():
    said = CliRunner().invoke(cli, ["--version"]).output

    assert said.startswith("orderapp 0.")
    assert ", Faust 0." in said


def test_an_app_that_is_not_there_is_one_line(run):
    for name in ("nosuch", "orderapp.nosuch"):
        ended = run(f"orderapp -A {name} worker")

        line = f"orderapp: there is no app '{name}' (-A names a module with an `app`)\n"
        assert (ended.stderr, ended.returncode) == (line, 1)


def test_an_app_that_lacks_a_module_shows_where(run, tmp_path):
    (tmp_path / "lacking.py").write_text("import nosuch\n")
    ended = run("orderapp -A lacking worker")

    assert "lacking.py" in ended.stderr
    assert ended.returncode == 1


def test_the_help_of_worker_names_the_settings_that_are_used_most():
    said = CliRunner().invoke(cli, ["worker", "--help"]).output

    for name in ("ORDERAPP_SERVICES", "KAFKA_BOOTSTRAP_SERVERS", "docs/settings.md"):
        assert name in said
    assert max(map(len, said.splitlines())) <= 80


def test_bash_completes_commands_and_options(run):
    script = (
        'eval "$(orderapp completion bash)"; COMP_CWORD={0}; COMP_WORDS=(orderapp {1}); '
        '_orderapp_completion orderapp; echo "${{COMPREPLY[@]}}"'
    )

    assert run(script.format(2, "dlq re")).stdout == "replay\n"
    assert run(script.format(3, "rules list --j")).stdout == "--json\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_gets_is_its_language(shell):
    done = CliRunner().invoke(cli, ["-A", "orderapp", "completion", shell])

    assert "_ORDERAPP_COMPLETE" in done.output
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.output, text=True, check=True, timeout=60)


@pytest.mark.parametrize("shell", ["/bin/tcsh", ""])
def test_an_unknown_shell_is_one_line(shell):
    done = CliRunner().invoke(cli, ["-A", "orderapp", "completion"], env={"SHELL": shell})

    assert done.exit_code == 2
    assert "is not one of 'bash', 'zsh', 'fish'" in done.output
    assert done.output.count("\n") == 1


def test_the_banner_says_what_is_in_use(monkeypatch):
    couchbase = Couchbase("db.example", "user", "secret", "orders")
    servers = ("one.example:9092", "two.example:9092")
    elsewhere = replace(settings, kafka_bootstrap_servers=servers, couchbase=couchbase)

    assert worker.kafka().startswith("embedded, in ")
    assert worker.store().startswith("SQLite, ")
    monkeypatch.setattr(worker, "settings", elsewhere)
    assert worker.kafka() == "one.example:9092, two.example:9092"
    assert worker.store() == "Couchbase, couchbase://db.example, bucket orders"
    monkeypatch.setattr(worker, "settings", replace(elsewhere, services=frozenset({"fraud"})))
    assert worker.store().startswith("none")


@pytest.mark.usefixtures("narrow")
def test_lists_fit_the_terminal():
    lines = rules_as_text(tuple(rules.all.values())).splitlines()

    assert max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()).count("within so many seconds.") == 2


def test_tables_fit_the_terminal():
    names, rows = ["name", "topic", "help"], [["@payment", "orders", "Charge each order. " * 9]]
    shown = table([names, *fit.wrapped(rows, names, 60)], title="Agents", tty=False).table

    assert max(map(len, shown.splitlines())) <= 60
    assert shown.count("Charge") == 9


@pytest.mark.usefixtures("narrow")
def test_a_row_that_was_cut_says_so(capsys):
    table = dlq_print.Table(with_notes=False)
    table.print([dlq_print.Task(letter(), ("payment",))])
    table.end()

    shown = capsys.readouterr()
    assert [len(line) for line in shown.out.splitlines()][-1] == 60
    assert shown.out.endswith("…\n")
    assert "`dlq show` and --json have all" in shown.err


def test_nothing_is_cut_for_a_file(capsys):
    table = dlq_print.Table(with_notes=False)
    table.print([dlq_print.Task(letter(), ("payment",))])
    table.end()

    shown = capsys.readouterr()
    assert "…" not in shown.out
    assert shown.err == ""


def test_progress_is_a_line_that_goes(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Progress("replayed", 5000) as note:
        note(1200)
        note(1201)

    assert terminal.getvalue() == "\r\x1b[Kreplayed 1,200 of 5,000 …\r\x1b[K"


def test_progress_says_nothing_to_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    with Progress("replayed") as note:
        note(1200)

    assert file.getvalue() == ""
