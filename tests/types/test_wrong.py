"""mypy and pyright find what authors get wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.known import ROOT

FILE = Path(__file__).with_name("wrong.py")
WRONG = {
    number
    for number, line in enumerate(FILE.read_text().splitlines(), start=1)
    if line.endswith("# wrong")
}


def mypy():
    done = _run("mypy", "--strict", "--no-error-summary", str(FILE))
    return [int(line) for line in re.findall(r"wrong\.py:(\d+): error", done.stdout)]


def pyright():
    done = _run("pyright", "--pythonpath", sys.executable, "--outputjson", str(FILE))
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [d["range"]["start"]["line"] + 1 for d in found if d["severity"] == "error"]


def _run(module, *arguments):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_each_wrong_line_is_found_and_no_other(checker):
    assert sorted(WRONG) == sorted(set(checker()))
