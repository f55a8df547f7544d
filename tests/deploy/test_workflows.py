"""The workflows: pinned, with as few rights as can be, and the same steps as .ci/run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy import known
from tests.deploy.hcl import Configuration

WORKFLOWS = sorted((known.ROOT / ".github/workflows").glob("*.yml"))


RELEASE = known.ROOT / ".github/workflows/release.yml"
PACKAGE = known.ROOT / ".github/workflows/package.yml"


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
        # More is only what AWS and a signature know a job by, where an environment guards it.
        more = {"contents": "read", "id-token": "write"} if "environment" in job else None
        assert job.get("permissions") == more
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


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_scripts_of_steps_are_scripts(path):
    for job in load(path)["jobs"].values():
        for step in job["steps"]:
            command = ["bash", "-n", "-c", step.get("run", "")]
            checked = subprocess.run(command, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr


def test_zizmor_has_no_complaint():
    zizmor = shutil.which("zizmor", path=Path(sys.executable).parent)
    if zizmor is None:
        pytest.skip("zizmor is not installed")
    command = [zizmor, "--offline", "--no-progress", str(known.ROOT / ".github/workflows")]
    linted = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert linted.returncode == 0, linted.stdout


# -- The release, which nothing here can run ---------------------------------------------------


def steps(job):
    """What each step does, in one line."""
    return [step.get("uses", "") + step.get("run", "") for step in job["steps"]]


def place(job, word):
    (found,) = (at for at, step in enumerate(steps(job)) if word in step)
    return found


def test_an_image_is_scanned_before_it_is_pushed_and_signed_before_it_is_deployed():
    jobs = load(RELEASE)["jobs"]
    image, publish = jobs["image"], jobs["publish"]
    processors = {one["processor"] for one in image["strategy"]["matrix"]["include"]}
    assert processors == {"amd64", "arm64"}
    scan, push = place(image, "scan-action"), place(image, "--push")
    assert place(image, "--load") < scan < place(image, "ecr get-login-password") < push
    assert {"--sbom=true", "--provenance=mode=max"} < {*steps(image)[push].split()}
    for processor in processors:
        assert f"-{processor}" in steps(publish)[place(publish, "imagetools create")]
    signing = steps(publish)[place(publish, "cosign sign")]
    assert '"$REPOSITORY@$digest"' in signing, "a tag could mean another image by then"
    needs = {name: job.get("needs") for name, job in jobs.items()}
    assert needs == {"image": None, "publish": "image", "plan": "publish", "apply": "plan"}


def test_what_is_applied_is_the_plan_that_was_approved():
    jobs = load(RELEASE)["jobs"]
    environments = {name: job["environment"] for name, job in jobs.items()}
    assert environments == dict.fromkeys(("image", "publish", "plan"), "build") | {
        "apply": "production"
    }
    assert "-out=release.tfplan" in steps(jobs["plan"])[place(jobs["plan"], "terraform plan")]
    (kept,) = re.findall(r'"(s3://\S+)"', steps(jobs["plan"])[-1])
    assert kept in steps(jobs["apply"])[place(jobs["apply"], "s3 cp")]
    applied = place(jobs["apply"], "terraform apply")
    assert steps(jobs["apply"])[applied].split()[-1] == "release.tfplan"
    assert "-detailed-exitcode" in steps(jobs["apply"])[-1], "ECS may have gone back"
    # What no plan keeps is given to both, and the rest is one file, with the image of this tag.
    ephemeral = {
        f"TF_VAR_{name}"
        for name, one in Configuration().variables.items()
        if one.get("ephemeral")
    }
    for job in (jobs["plan"], jobs["apply"]):
        assert {name for name in job["env"] if name.startswith("TF_VAR")} == ephemeral
        assert "image_tag" in steps(job)[place(job, "terraform init")]


def test_no_job_has_a_key_of_aws_and_all_that_it_is_given_is_documented():
    text = RELEASE.read_text("utf-8")
    docs = known.read("docs/deploy.md").split("### Pipeline")[1].split("\n### ")[0]
    for name in re.findall(r"\$\{\{ (?:vars|secrets)\.(\w+)", text):
        assert f"`{name}`" in docs, name
    assert not re.search(r"secrets\.\w*AWS|access.key", text, re.I)
    logins = re.findall(r"role-to-assume: (.+)", text)
    assert set(logins) == {"${{ vars.AWS_ROLE_ARN }}"}  # another one in each environment


def test_a_package_is_published_when_it_has_been_run_and_without_a_key():
    (job,) = load(PACKAGE)["jobs"].values()
    built, run = place(job, "pyproject-build"), place(job, "orderapp --help")
    assert built < run < place(job, "gh-action-pypi-publish") == len(job["steps"]) - 1
    # The token of a project's own would take the place of trust, and of the attestations.
    assert "with" not in job["steps"][-1]
    assert "secrets." not in PACKAGE.read_text("utf-8")
    for name in re.findall(r"vars\.(\w+)", PACKAGE.read_text("utf-8")):
        assert f"`{name}`" in known.read("CONTRIBUTING.md")


@pytest.mark.parametrize(
    ("tag", "changelog", "told"),
    [
        ("v1.2.3", "## [1.2.3] - 2031-01-31", ""),
        ("v1.2.4", "## [1.2.4] - 2031-01-31", "the tag is v1.2.4, setup.cfg says 1.2.3\n"),
        ("v1.2.3", "## [Unreleased]", "no 1.2.3 in CHANGELOG.md\n"),
    ],
)
def test_tag_package_and_changelog_say_the_same_version(tmp_path, tag, changelog, told):
    (job,) = load(PACKAGE)["jobs"].values()
    (tmp_path / "setup.cfg").write_text("[metadata]\nversion = 1.2.3\n")
    (tmp_path / "CHANGELOG.md").write_text(f"{changelog}\n")

    done = subprocess.run(
        ["bash", "-e", "-c", steps(job)[place(job, "version=$")]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TAG": tag},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1 if told else 0, told)


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
