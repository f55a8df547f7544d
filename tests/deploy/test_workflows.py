"""The workflows: pinned, with as few rights as can be, and the same steps as .ci/run."""

import re

import pytest
import yaml

from tests.deploy import known

WORKFLOWS = sorted((known.ROOT / ".github/workflows").glob("*.yml"))


def load(path):
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version_beside(path):
    uses = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_may_only_read_and_end_by_themselves(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in path.read_text("utf-8")
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            # Nothing that a stranger can write gets into a script.
            assert "${{ github.event" not in step.get("run", "")


def test_the_workflow_runs_what_ci_runs():
    jobs = load(known.ROOT / ".github/workflows/ci.yml")["jobs"]
    assert {"run": "bash .ci/run"} in jobs["check"]["steps"]
    steps = [step.get("run") for step in jobs["terraform"]["steps"]]
    for command in ("terraform fmt -check -recursive", "terraform validate", "terraform test"):
        assert command in steps
    # The versions that setup.cfg promises, at both ends.
    classifiers = re.findall(r"Python :: (3\.\d+)$", known.read("setup.cfg"), re.M)
    tested = jobs["check"]["strategy"]["matrix"]["python"]
    assert (min(classifiers), max(classifiers)) == (min(tested), max(tested))


def test_dependabot_looks_after_everything_that_is_pinned():
    updates = load(known.ROOT / ".github/dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {
        "pip",
        "docker",
        "docker-compose",
        "terraform",
        "github-actions",
    }
    # Of pip's files it reads these alone.
    (pip,) = (each for each in updates if each["package-ecosystem"] == "pip")
    assert pip["directories"] == ["/", "/deploy"]
    assert {*known.ROOT.glob("deploy/requirements*")} == {
        *known.ROOT.glob("deploy/requirements*.txt")
    }
