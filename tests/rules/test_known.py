"""Rules are found by their files and by other packages' entry points."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.deploy.known import ROOT

GOOD = '''from orderapp.rules import rule


@rule("active")
def odd(order):
    """An order with an odd id."""
    return order.order_id % 2 == 1
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the package, in which files may be put."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "orderapp", tree / "orderapp", ignore=ignored)
    return tree


@pytest.fixture
def declare(tmp_path):
    """Install a distribution that declares rules."""

    def declare(code, *lines):
        info = tmp_path / "more-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: more\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[orderapp.rules]", *lines]))
        (tmp_path / "more.py").write_text(code)
        return tmp_path

    return declare


def start(*folders, code="import orderapp"):
    path = os.pathsep.join([*map(str, folders), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folders[0],  # where `-c` looks first
        capture_output=True,
        text=True,
        check=False,
    )


IDS = "from orderapp.rules import rules; print(*sorted(rules.all))"


def test_a_file_in_the_folder_is_a_rule(tree):
    file = tree / "orderapp/rules/odd.py"
    file.write_text(GOOD)
    try:
        done = start(tree, code=IDS)
    finally:
        file.unlink()

    assert done.stderr == ""
    assert "HIGH_AMOUNT_RISKY_COUNTRY ODD" in done.stdout


# The second way its own module is the first to be imported, and asks for itself.
@pytest.mark.parametrize("first", ["", "import more; "])
def test_an_entry_point_is_a_rule(declare, first):
    done = start(declare(GOOD, "odd = more"), code=first + IDS)

    assert done.stderr == ""
    assert "HIGH_AMOUNT_RISKY_COUNTRY ODD" in done.stdout


PLACE = "the entry point odd = more of more"


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("import nothing", "odd = more", f"{PLACE} can't be imported: ModuleNotFoundError: "),
        ("", "odd = more", f"{PLACE} declares no rule: put @rule(…) on its function"),
        (
            GOOD,
            "odd = more:odd",
            "the entry point odd = more:odd of more is not allowed: give it",
        ),
        (GOOD, "Odd = more", "'Odd' is not allowed as the name of a rule (the entry point Odd"),
        (
            GOOD.replace("(order)", "()"),
            "odd = more",
            "/more.py:4: odd is not `def rule(order: ",
        ),
        (
            GOOD.replace("active", "on"),
            "odd = more",
            "/more.py:4: odd: the state 'on' is not one",
        ),
        (
            GOOD.replace("def odd", "def blocked_country"),
            "odd = more",
            "there are two rules BLOCKED_COUNTRY: rules/blocked_country.py:",
        ),
    ],
)
def test_what_is_no_rule_ends_the_start_with_one_line(declare, code, line, said):
    ended = start(declare(code, line))

    assert ended.returncode == 1
    assert ended.stderr.startswith("orderapp: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
