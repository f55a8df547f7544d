"""The examples of docs/services.md, run as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.deploy.known import ROOT, read

EXAMPLES = dict(
    re.findall(r"```python\n# (\S+\.py)\n(.*?)```", read("docs/services.md"), re.DOTALL)
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the package with all examples in it."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "orderapp", tree / "orderapp", ignore=ignored)
    for name, text in EXAMPLES.items():
        (tree / name).write_text(text)
    return tree


def python(tree, *arguments):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**kept, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_found():
    assert len(EXAMPLES) == read("docs/services.md").count("```python") == 9


def test_the_tests_of_the_examples_pass(tree):
    tests = [name for name in EXAMPLES if name.startswith("test_")]

    assert "4 passed" in python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def test_all_of_them_are_services(tree):
    code = (
        "import json, orderapp; services = orderapp.app.services.all; "
        "print(json.dumps({n: [s.reads, s.sends] for n, s in services.items()}))"
    )

    assert (
        json.loads(python(tree, "-c", code)).items()
        >= {
            "large": [["orders"], ["fraud-alerts"]],
            "receipts": [["payments"], ["receipts"]],
            "regulars": [["orders", "orders-of-customers"], []],
            "lines": [["order-lines"], ["orders"]],
        }.items()
    )


def test_the_examples_pass_the_type_checker(tree):
    files = [name for name in EXAMPLES if name.startswith("orderapp/")]
    python(tree, "-m", "mypy", "--strict", "--config-file", str(ROOT / "setup.cfg"), *files)
