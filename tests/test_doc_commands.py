"""No command in README or docs is left to chance: each is run by a test, or it says why not."""

import re

import pytest

from tests import doc_commands
from tests.deploy import known
from tests.deploy.known import ROOT

COMMANDS = doc_commands.commands()
#: Those that are looked for in sentences too.
OF_DEPLOY = [one for one in COMMANDS if one.page == doc_commands.DEPLOY]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_each_is_run_here_or_elsewhere(command):
    assert doc_commands.elsewhere(command) or re.match(doc_commands.RUN, command.text), (
        f"no test runs {command}: name one in tests/doc_commands.py, or the reason"
    )


def test_the_tests_that_are_named_exist():
    for place in doc_commands.TESTS.values():
        assert (ROOT / place).is_file(), place


@pytest.mark.parametrize("pattern", [*doc_commands.TESTS, *doc_commands.NOWHERE])
def test_nothing_is_named_that_no_page_shows(pattern):
    assert any(re.match(pattern, str(command)) for command in COMMANDS)


# -- docs/deploy.md, from an empty account to the teardown -------------------------------------


@pytest.mark.parametrize("pattern", doc_commands.SHOWN)
def test_what_is_said_to_run_a_command_has_the_line_that_does(pattern):
    place, line = doc_commands.SHOWN[pattern]

    assert line in known.read(place)
    assert any(re.match(pattern, command.text) for command in OF_DEPLOY)


@pytest.mark.parametrize("text", doc_commands.listed())
def test_what_is_listed_as_not_run_is_on_the_page_and_has_a_reason(text):
    assert any(doc_commands.stands_for(text, command) for command in OF_DEPLOY)
    assert len(doc_commands.listed()[text]) > 20


@pytest.mark.parametrize("command", OF_DEPLOY, ids=str)
def test_no_command_is_run_and_listed_as_not_run(command):
    assert not (doc_commands.shown(command) and doc_commands.why_not(command))


def test_a_command_that_nobody_knows_is_noticed(monkeypatch):
    page = known.read(doc_commands.DEPLOY)
    longer = page.replace("### Teardown\n", "### Teardown\n\nThen `terraform taint x`.\n", 1)
    texts = {doc_commands.DEPLOY: longer}
    monkeypatch.setattr(doc_commands, "read", lambda path: texts.get(path) or known.read(path))

    (new,) = {one for one in doc_commands.commands() if one.page == doc_commands.DEPLOY} - {
        *OF_DEPLOY
    }

    assert new.text == "terraform taint x"
    assert doc_commands.elsewhere(new) is None
    assert not re.match(doc_commands.RUN, new.text)
