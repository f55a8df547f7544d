"""`/openapi.json` against the rules that Redocly recommends."""

import json
import shutil
import subprocess

import pytest

from orderapp.web.api.openapi import document

#: OpenAPI 3.1 has no word for the data of an event, so that only `x-events` refers to them.
UNUSED = {"#/components/schemas/EventBatch", "#/components/schemas/Gap"}


def test_the_recommended_rules_pass(tmp_path):
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed")
    install = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefer-offline",
    ]
    done = subprocess.run(
        [*install, "@redocly/cli@2.77.0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"@redocly/cli can't be had: {done.stderr[-300:]}")
    (tmp_path / "openapi.json").write_text(json.dumps(document()), "utf-8")

    command = ["node_modules/@redocly/cli/bin/cli.js", "lint", "openapi.json"]
    found = subprocess.run(
        [node, *command, "--extends", "recommended", "--format", "json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "REDOCLY_TELEMETRY": "off"},
    )  # fmt: skip

    problems = {
        (problem["ruleId"], place["pointer"])
        for problem in json.loads(found.stdout)["problems"]
        for place in problem["location"]
    }
    assert problems == {("no-unused-components", name) for name in UNUSED}, found.stderr
