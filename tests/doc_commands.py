"""The commands that README and docs show, and where each of them is run."""

import re
from typing import NamedTuple

from tests.deploy.known import ROOT, read

PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]

#: Which test runs what, by the beginning of `page: command`.
TESTS = {
    r"README.md: python3 -m venv .*/pytest": ".ci/run",
    r"docs/tutorial.md: ": "tests/e2e/test_tutorial.py",
    r"\S+: python3 -m venv .* worker": "tests/e2e/test_tutorial.py",
    r"docs/cloud.md: ": "tests/e2e/test_elsewhere.py",
    r"\S+: faust -A orderapp worker": "tests/e2e/test_pipeline.py",
    r"docs/workers.md: ORDERAPP_SERVICES": "tests/e2e/test_workers.py",
    r"docs/settings.md: ORDERAPP_FAULT_POISON": "tests/e2e/test_failures.py",
    r"docs/install.md: uvx": "tests/deploy/test_installed.py",
    r"docs/install.md: orderapp": "tests/deploy/test_installed.py",
    r"docs/couchbase-connection.md: ": "tests/deploy/test_couchbase_init.py",
    r"docs/deploy.md: docker (build|run)": "tests/deploy/test_container.py",
    r"docs/deploy.md: (cp .env.example|docker compose)": "tests/deploy/test_compose.py",
    r"docs/deploy.md: (umask|rm|cp backup|python3 -c)": "tests/e2e/test_data_directory.py",
    r"docs/deploy.md: (cd|cp|terraform)": "tests/deploy/test_terraform_run.py",
}

#: What no test runs, and why.
NOWHERE = {
    r"docs/install.md: pipx": "it would change the programs of whoever runs the tests",
    r"docs/deploy.md: confluent": "needs an account of Confluent Cloud",
    r"docs/deploy.md: (aws|docker push)": "needs an account of AWS",
    r"docs/kubernetes.md: kubectl": "needs a cluster",
    r"docs/runbook.md: docker compose": "needs the containers of a stack that runs",
    r"docs/runbook.md: kafka-transactions.sh": "Kafka's scripts are not among its jars",
}

#: What tests/e2e/test_doc_commands.py runs as it stands: all the rest.
RUN = r"(faust -A orderapp|curl -s localhost:6066/)"


class Command(NamedTuple):
    page: str
    text: str
    #: What the page says that it prints; "" where it says nothing.
    shown: str = ""

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def commands() -> list[Command]:
    """All of them, page by page, without their comments."""
    found = []
    for page in PAGES:
        for indent, block in re.findall(
            r"^( *)```(?:sh|console)\n(.*?)^ *```", read(page), re.M | re.S
        ):
            text = re.sub(rf"^{indent}", "", block, flags=re.M)
            found += [Command(page, *each) for each in _commands(text)]
    return found


def _commands(block: str) -> list[tuple[str, str]]:
    if block.startswith("$ "):
        parts = (part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.M)[1:])
        return [(command, shown) for command, _, shown in parts]
    joined = block.replace("\\\n", " ")
    return [(re.sub(r" +# .*", "", line), "") for line in joined.splitlines() if line.strip()]


def elsewhere(command: Command) -> str | None:
    """The test that runs a command, or why none does; None: it is to be run."""
    for pattern, answer in (TESTS | NOWHERE).items():
        if re.match(pattern, str(command)):
            return answer
    return None
