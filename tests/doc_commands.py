"""The commands that README and docs show, and where each of them is run."""

import re
from typing import NamedTuple

from tests.deploy.known import ROOT, read

PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]

#: The page whose commands count in the middle of a sentence too. What no test runs of it is
#: listed there, with the reason, for those who deploy.
DEPLOY = "docs/deploy.md"
LIST = "## What no test runs"
_IN_SENTENCES = re.compile(
    r"`((?:[A-Z_]+=\S+ )*(?:aws|confluent|cosign|cp|deploy/[\w-]+\.sh|docker|faust|openssl"
    r"|python3?|read|terraform) [^`\n]+)`"
)

WALK = "tests/deploy/test_terraform_apply.py"
CONTAINER = "tests/deploy/test_container.py"
COMPOSE = "tests/deploy/test_compose_up.py"
STATE = "tests/deploy/test_state.py"

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
    r"docs/deploy.md: (umask|rm|cp backup|python3 -c)": "tests/e2e/test_data_directory.py",
    r"docs/deploy.md: (cd terraform|cp terraform.tfvars.example terraform.tfvars)$": WALK,
    r"docs/deploy.md: deploy/confluent-acls.sh sa-…$": "tests/deploy/test_acls.py",
}

#: The same for what docs/deploy.md shows, and the line of the test by which it does so.
SHOWN = {
    r"docker build -t orderapp:embedded": (
        "tests/deploy/docker.py",
        'command = ["build", "--network=host", *secret, f"--target={target}"',
    ),
    r"docker run --rm -p 127.0.0.1:6066": (CONTAINER, 'start = ("run", "--detach"'),
    r"docker exec NAME faust -A orderapp send": (CONTAINER, '"exec", name, "faust", "-A"'),
    r"docker stop --time=10$": (CONTAINER, 'docker("stop", "--time='),
    r"docker compose up( --build --wait)?$": (COMPOSE, 'stack("up", "--wait", "--no-build"'),
    r"docker compose up -d --no-recreate": (COMPOSE, 'stack("up", "-d", "--no-recreate"'),
    r"docker compose logs": (COMPOSE, 'stack("logs", "payment"'),
    r"docker compose exec payment": (COMPOSE, 'sent = ("exec", "-T", "payment", "faust"'),
    r"docker compose down": (COMPOSE, 'stack("down", "--volumes")'),
    r"terraform init$": ("tests/deploy/terraform.py", 'self(module, "init"'),
    r"terraform init -migrate-state$": (STATE, '"init", "-migrate-state"'),
    r"terraform apply$": (WALK, 'self.run("apply"'),
    r"terraform output": (WALK, 'documented("terraform output")'),
    r"terraform destroy$": (WALK, 'run("destroy"'),
    r"ORDERAPP_SERVICES=analytics ORDERAPP_GROUP=restore-1 ": (
        "tests/e2e/test_data_directory.py",
        'ORDERAPP_GROUP="restore-1"',
    ),
}

#: What no test runs, and why.
NOWHERE = {
    r"docs/install.md: pipx": "it would change the programs of whoever runs the tests",
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
    prose = re.sub(r"^ *```.*?^ *```", "", read(DEPLOY).split(LIST)[0], flags=re.M | re.S)
    found += [Command(DEPLOY, text) for text in _IN_SENTENCES.findall(prose)]
    return [*dict.fromkeys(found)]


def listed() -> dict[str, str]:
    """What docs/deploy.md says that no test runs, and why. A command that ends in `…` stands
    for all that begin so."""
    section = read(DEPLOY).split(LIST)[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return {text: why.strip() for cell, why in rows for text in re.findall(r"`([^`]+)`", cell)}


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
    return (shown(command) or why_not(command)) if command.page == DEPLOY else None


def shown(command: Command) -> str | None:
    """The test that runs a command of docs/deploy.md, as SHOWN has it."""
    found = (place for text, (place, _) in SHOWN.items() if re.match(text, command.text))
    return next(found, None)


def why_not(command: Command) -> str | None:
    """Why no test runs a command of docs/deploy.md, as its list has it."""
    return next((why for text, why in listed().items() if stands_for(text, command)), None)


def stands_for(text: str, command: Command) -> bool:
    """Whether an entry of `listed` is about a command."""
    whole, dots, _ = text.rpartition("…") if text.endswith("…") else (text, "", "")
    return command.text.startswith(whole) if dots else command.text == whole
