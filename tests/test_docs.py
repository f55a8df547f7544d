"""The documentation and the code are held together: settings, routes, topics and commands."""

import json
import re
import subprocess
import sys

import msgspec

from orderapp.app import app
from orderapp.engine.dead_letters.headers import HEADERS
from orderapp.settings import SERVICES, PaymentApi, Settings
from orderapp.web.api.answers import OneOrder
from tests import author_reference
from tests.deploy import known

ROOT = known.ROOT
PAGES = {page.name: page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md")}
README = known.read("README.md")

#: Prints every command of `faust -A orderapp`, also those of its groups.
COMMANDS = """
import faust.cli.faust, orderapp
from faust.cli.base import cli
for name, command in cli.commands.items():
    group = getattr(command, "commands", None)
    print(*([f"{name} {each}" for each in group] if group else [name]), sep="\\n")
"""


def rows(page):
    """The tables of a page: the first two cells of each row."""
    lines = [line for line in PAGES[page].splitlines() if line.startswith("| `")]
    return [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in lines]


def names(cells):
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_setting_is_documented_and_every_documented_one_exists():
    documented = names(cell for cell, _ in rows("settings.md"))

    assert sorted(documented) == sorted(known.settings())


def test_documented_defaults_are_those_of_the_code():
    documented = {
        name: default for cell, default in rows("settings.md") for name in names([cell])
    }
    defaults = Settings()

    assert documented["ORDERAPP_DATA_DIR"] == f"`{defaults.data_dir}`"
    assert documented["ORDERAPP_ORDER_INTERVAL"] == f"`{defaults.order_interval}`"
    assert documented["ORDERAPP_PAYMENT_DELAY"] == f"`{defaults.payment_delay}`"
    api = PaymentApi("")
    assert documented["ORDERAPP_PAYMENT_TIMEOUT"] == f"`{api.timeout}`"
    assert documented["ORDERAPP_PAYMENT_REQUESTS"] == f"`{api.requests}`"
    assert documented["ORDERAPP_PAYMENT_KEY_HOURS"] == f"`{api.key_hours}`"
    assert documented["ORDERAPP_WEB_HOST"] == f"`{defaults.web.host}`"
    assert documented["ORDERAPP_METRICS"] == f"`{defaults.web.metrics}`"
    assert documented["ORDERAPP_IDEMPOTENCY_HOURS"] == f"`{defaults.idempotency_hours}`"
    assert documented["ORDERAPP_MAX_ATTEMPTS"] == f"`{defaults.max_attempts}`"
    assert documented["ORDERAPP_DEAD_LETTER_LIMIT"] == f"`{defaults.dead_letter_limit}`"
    assert documented["ORDERAPP_DEAD_LETTER_SHARE"] == f"`{defaults.dead_letter_share}`"
    assert documented["ORDERAPP_STALL_SECONDS"] == f"`{defaults.stall_seconds}`"
    assert documented["ORDERAPP_FRAMING"] == f"`{defaults.framing}`"
    assert documented["ORDERAPP_SESSION_TIMEOUT"] == f"`{defaults.session_timeout}`"
    assert documented["ORDERAPP_LOG_FORMAT"] == f"`{defaults.log_format}`"
    assert defaults.faults.on() == {}
    assert ",".join(SERVICES) in PAGES["settings.md"]


def test_every_route_is_documented_and_every_documented_one_exists():
    routes = {
        f"{route.method} {route.resource.canonical}"
        for route in app.web.web_app.router.routes()
        if route.method in {"GET", "POST", "PUT"}
        and not route.resource.canonical.startswith(("/static", "/favicon.ico"))
    }

    assert set(names(cell for cell, _ in rows("api.md"))) == routes


def test_every_topic_and_header_is_documented():
    topics = [spec.name for spec in app.topic_specs]

    assert names(cell for cell, _ in rows("topics.md")) == topics
    for header in HEADERS:
        assert f"`{header}`" in PAGES["dead-letters.md"]


def test_the_walk_through_shows_an_answer_as_the_api_gives_it():
    answer = PAGES["tutorial.md"].split("| python3 -m json.tool\n")[1]
    shown = json.loads(answer.split("\n```")[0])

    # A field that is missing, or that is none, would come out otherwise.
    assert msgspec.to_builtins(msgspec.convert(shown, OneOrder)) == shown


def test_the_two_commands_stand_alone_on_their_lines():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)

    assert len(commands) == 2
    assert commands[0].endswith("faust -A orderapp worker -l info")
    assert commands[1].endswith("pytest -n 4")


def test_every_command_is_documented_and_every_documented_one_exists():
    shown = subprocess.run(
        [sys.executable, "-c", COMMANDS], capture_output=True, text=True, check=True
    )
    commands = set(shown.stdout.splitlines())

    assert set(names(cell for cell, _ in rows("commands.md"))) == commands
    for text in (README, *PAGES.values()):
        for first, second in re.findall(r"faust -A orderapp ([a-z-]+)(?: ([a-z]+))?", text):
            assert {first, f"{first} {second}"} & commands, f"{first} {second}"


def test_the_authors_interface_is_that_of_the_code():
    assert PAGES["author.md"] == author_reference.page(), "python -m tests.author_reference"


def test_the_map_in_contributing_is_that_of_the_tree():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    drawn = text.split("## Where things are")[1].split("```")[1]
    files = {path.relative_to(ROOT / "orderapp") for path in (ROOT / "orderapp").rglob("*.py")}
    modules = {path for path in files if not path.name.startswith("__")}
    mapped = {p for p in modules if len(p.parts) == 1 or p.parts[0] == "engine"}
    rooms = {path.parts[0] for path in modules if len(path.parts) > 1}

    named = set(re.findall(r"\w+\.py", drawn))
    inside = {path.name for path in mapped if "embedded" not in path.parts}
    assert sorted(inside - named) == [], "not on the map"
    assert sorted(named - {path.name for path in files}) == [], "on the map only"
    assert sorted(room for room in rooms if f"{room}/" not in drawn) == []


def test_the_places_that_are_named_exist():
    for text in (known.read("CONTRIBUTING.md"), README, *PAGES.values()):
        for name in re.findall(r"`(tests/[a-z_/.]+|orderapp/[a-z_/]+(?:/|\.py))`", text):
            made_in_the_page = f"# {name}\n" in text
            assert made_in_the_page or (ROOT / name).exists(), name
