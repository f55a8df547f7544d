"""`/openapi.json` against the rules that Redocly recommends."""

import json
import subprocess

import pytest

from orderapp.web.api.openapi import document
from tests.clients.npm import node_with

#: OpenAPI 3.1 has no word for the data of an event, so that only `x-events` refers to them.
UNUSED = {"#/components/schemas/EventBatch", "#/components/schemas/Gap"}


@pytest.mark.timeout(300)
def test_the_recommended_rules_pass(tmp_path):
    node = node_with(tmp_path, "@redocly/cli@2.77.0")
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
