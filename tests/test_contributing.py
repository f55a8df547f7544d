"""What contributors begin with: words, hooks, forms and the dev container."""

import json
import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WORDS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def load(path):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_every_word_of_make_that_is_written_down_exists():
    written = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", CONTRIBUTING, re.M))
    named = {word for pair in written for word in pair if word}

    assert {"setup", "check", "test", "ci"} <= named <= WORDS
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1]
    assert set(phony.split()) == WORDS


def test_the_hook_before_a_commit_is_make_check():
    (repo,) = load(".pre-commit-config.yaml")["repos"]

    assert repo["repo"] == "local"
    (hook,) = repo["hooks"]
    assert (hook["entry"], hook["language"]) == ("make check", "system")
    assert hook["pass_filenames"] is False


def test_the_dev_container_has_the_oldest_python_and_is_set_up():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    setup = (ROOT / "setup.cfg").read_text("utf-8")

    oldest = re.search(r"^python_requires = >=(.+)$", setup, re.M)[1]
    assert f"/python:{oldest}-" in container["image"]
    assert container["postCreateCommand"] == "make setup"


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_issue_forms_have_what_github_asks_for(name):
    form = load(f".github/ISSUE_TEMPLATE/{name}.yml")

    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(ids) == len({*ids}) > 0
    assert all(field["attributes"]["label"] for field in fields)


def test_the_newest_versions_are_tried_of_all_that_has_an_upper_bound():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = map(Requirement, setup["options"]["install_requires"].split("\n")[1:])
    bounded = {each.name for each in wanted if "<" in str(each.specifier)}

    steps = load(".github/workflows/newest.yml")["jobs"]["test"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    (upgrade,) = [command for command in commands if "--upgrade" in command]
    assert set(upgrade.partition("--upgrade ")[2].split()) == bounded
    assert commands.index(upgrade) < commands.index("make test")
