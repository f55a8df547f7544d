"""docs/deploy.md and what it talks about do not part."""

import re

import pytest

from tests.deploy import known
from tests.deploy.hcl import Configuration

TEXT = known.read("docs/deploy.md")


def test_every_file_that_is_named_exists():
    named = set(re.findall(r"(?<![\w/.-])(?:deploy|terraform|tests)/[\w./-]+\w", TEXT))
    assert "deploy/confluent-acls.sh" in named
    for path in named:
        assert (known.ROOT / path).exists(), path


def test_every_link_to_a_heading_has_one():
    headings = {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= headings


def test_outputs_and_variables_that_are_named_exist():
    config = Configuration()
    for name in re.findall(r"terraform output (?:-raw )?(\w+)", TEXT):
        assert name in config.outputs, name
    for name in re.findall(r"TF_VAR_(\w+)", TEXT):
        assert name in config.variables, name


def test_the_rights_are_those_of_the_script():
    script = known.read("deploy/confluent-acls.sh")
    names = re.findall(r"^allow \S+ --\S+ (\S+)$", script, re.M)
    for name in names:
        assert f"`{name}`" in TEXT, name


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("did not accept CONFLUENT_API_KEY", "orderapp/engine/kafka/cluster.py"),
        ("Kafka does not allow this", "orderapp/engine/kafka/rights.py"),
        ("can't be a member of group", "orderapp/engine/kafka/membership.py"),
        ("Kafka is not reachable", "orderapp/engine/kafka/cluster.py"),
        ("is not trusted", "orderapp/engine/kafka/cluster.py"),
        (
            "check COUCHBASE_USERNAME and COUCHBASE_PASSWORD",
            "orderapp/store/couchbase/errors.py",
        ),
        ("check COUCHBASE_BUCKET", "orderapp/store/couchbase/errors.py"),
        ("the embedded broker needs the package", "orderapp/engine/embedded/errors.py"),
        ("is not allowed: ", "orderapp/settings.py"),
    ],
)
def test_errors_in_the_table_are_those_that_the_program_says(text, path):
    assert text in TEXT
    assert text in known.read(path)
