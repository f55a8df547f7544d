"""No command in README or docs is left to chance: each is run by a test, or it says why not."""

import re

import pytest

from tests import doc_commands
from tests.deploy.known import ROOT


@pytest.mark.parametrize("command", doc_commands.commands(), ids=str)
def test_each_is_run_here_or_elsewhere(command):
    assert doc_commands.elsewhere(command) or re.match(doc_commands.RUN, command.text), (
        f"no test runs {command}: name one in tests/doc_commands.py, or the reason"
    )


def test_the_tests_that_are_named_exist():
    for place in doc_commands.TESTS.values():
        assert (ROOT / place).is_file(), place


@pytest.mark.parametrize("pattern", [*doc_commands.TESTS, *doc_commands.NOWHERE])
def test_nothing_is_named_that_no_page_shows(pattern):
    assert any(re.match(pattern, str(command)) for command in doc_commands.commands())
