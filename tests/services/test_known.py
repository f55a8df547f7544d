"""Services are found by their files and by other packages' entry points, not by importing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orderapp import services
from orderapp.environ import SettingsError
from orderapp.plugins import PluginError
from orderapp.services import known
from orderapp.settings import SERVICES, Settings

SHIPPED = {
    name: f"orderapp.services.{name}" for name in ("producer", "fraud", "payment", "analytics")
}


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Install a distribution that declares services."""
    monkeypatch.syspath_prepend(tmp_path)

    def declare(distribution, *lines):
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[orderapp.services]", *lines]))
        return tmp_path

    return declare


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Put a file beside the shipped services."""
    folder = tmp_path / "services"
    folder.mkdir()
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(folder)])
    return lambda name: (folder / name).write_text("raise AssertionError('imported')")


def test_the_shipped_services_come_in_the_order_of_an_orders_way():
    assert list(known().items()) == list(SHIPPED.items())
    assert (*known(), "web") == SERVICES


def test_a_file_is_a_service(put):
    put("two_words.py")
    put("_helpers.py")
    put("notes.txt")

    assert known() == {**SHIPPED, "two-words": "orderapp.services.two_words"}


def test_an_entry_point_is_a_service(put, declare):
    put("middle.py")
    declare("more", "zebra = more.zebra", "loyalty = more.loyalty")

    assert list(known()) == [*SHIPPED, "loyalty", "middle", "zebra"]
    assert known()["loyalty"] == "more.loyalty"


def test_a_service_from_outside_can_be_chosen():
    names = [*SERVICES, "loyalty"]

    assert Settings.from_env({}, names).services == set(names)
    chosen = Settings.from_env({"ORDERAPP_SERVICES": "loyalty,web"}, names)
    assert chosen.services == {"loyalty", "web"}
    with pytest.raises(SettingsError, match=r"all, or some of producer,.*,web,loyalty$"):
        Settings.from_env({"ORDERAPP_SERVICES": "royalty"}, names)


@pytest.mark.parametrize("name", ["Loyalty.py", "2nd.py", "läden.py"])
def test_a_file_whose_name_is_no_services_name_is_refused(put, name):
    put(name)

    with pytest.raises(PluginError, match=rf"\(orderapp\.services\.{name[:-3]}\)") as error:
        known()

    assert "small letters, digits and -" in str(error.value)


@pytest.mark.parametrize("line", ["Loyalty = more", "a_b = more", "a b = more", "-a = more"])
def test_an_entry_point_whose_name_is_no_services_name_is_refused(declare, line):
    declare("more", line)

    with pytest.raises(PluginError, match=rf"\(the entry point {line} of more\)"):
        known()


@pytest.mark.parametrize("value", ["more:loyalty", "more.", "more loyalty", "more [extra]"])
def test_an_entry_point_that_is_no_module_is_refused(declare, value):
    declare("more", f"loyalty = {value}")

    with pytest.raises(PluginError) as error:
        known()

    assert str(error.value) == (
        f"the entry point loyalty = {value} of more is not allowed: "
        "give it a module, package.module"
    )


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("fraud", "orderapp.services.fraud"),
        ("middle", "orderapp.services.middle"),
        ("web", "orderapp.web"),
        ("all", "ORDERAPP_SERVICES=all, which is every service"),
        ("loyalty", "the entry point loyalty = less of less"),
    ],
)
def test_a_service_declared_twice_is_refused_with_both_places(put, declare, name, place):
    put("middle.py")
    declare("less", "loyalty = less")
    declare("more", f"{name} = more.module")

    with pytest.raises(PluginError) as error:
        known()

    assert str(error.value) == (
        f"there are two services {name}: {place}, and "
        f"the entry point {name} = more.module of more; rename one"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_here", "ModuleNotFoundError: No module named 'nothing_here'"),
        ("raise KeyError", "KeyError: KeyError"),
        ("raise ValueError('a\\nb')", "ValueError: a b"),
    ],
)
def test_an_entry_point_that_cannot_be_imported_ends_the_start_with_one_line(
    declare, code, said
):
    folder = declare("more", "loyalty = loyal")
    (folder / "loyal.py").write_text(code)

    ended = _start(folder, ORDERAPP_SERVICES="loyalty")

    assert (ended.returncode, ended.stderr) == (
        1,
        f"orderapp: the entry point loyalty = loyal of more can't be imported: {said}\n",
    )


def test_an_entry_point_that_was_not_chosen_is_imported_too(declare):
    # What it declares belongs to the whole: its lag, its rights, what AsyncAPI says of it.
    folder = declare("more", "loyalty = not_there")

    ended = _start(folder, ORDERAPP_SERVICES="fraud")

    assert ended.returncode == 1
    assert "loyalty = not_there" in ended.stderr


def test_a_service_declared_twice_ends_the_start_with_one_line(declare):
    ended = _start(declare("more", "web = more"))

    assert ended.returncode == 1
    assert ended.stderr.startswith("orderapp: there are two services web: ")
    assert ended.stderr.count("\n") == 1


def _start(folder, **environ):
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-c", "import orderapp"],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("name", "most"), [("fraud", 40), ("payment", 70), ("analytics", 70)])
def test_a_service_is_read_at_a_glance(name, most):
    """And names nothing of how a record is read, written, counted and traced."""
    text = (Path(services.__file__).with_name(f"{name}.py")).read_text("utf-8")
    assert len(text.splitlines()) <= most
    assert not re.search(r"encod|decod|header|counter|span", text, re.IGNORECASE)
