"""The program `orderapp`: where its data is, and what it calls itself."""

import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from orderapp.app import app
from orderapp.environ import SettingsError
from orderapp.program import called, user_data_dir
from orderapp.settings import Settings
from tests.e2e.worker import FAUST, environment

ROOT = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package as an installer leaves it, on Linux."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / "orderapp-0.1.0.dist-info").mkdir()
    return tmp_path / "orderapp"


def test_in_a_clone_data_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert user_data_dir() is None
    assert Settings.from_env({}).data_dir == Path("orderapp-data")


@pytest.mark.parametrize(
    "beside", ["orderapp.egg-info", "orderapp_loyalty-1.dist-info", "setup.cfg"]
)
def test_only_the_metadata_of_its_wheel_makes_it_installed(tmp_path, beside):
    (tmp_path / beside).mkdir()

    assert user_data_dir(tmp_path / "orderapp") is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/ann/.local/share/orderapp"),
        ({"XDG_DATA_HOME": "/data of ann"}, "/data of ann/orderapp"),
        ({"XDG_DATA_HOME": ""}, "/home/ann/.local/share/orderapp"),
        ({"XDG_DATA_HOME": "below/here"}, "/home/ann/.local/share/orderapp"),
    ],
)
def test_installed_it_is_the_users_folder(package, monkeypatch, environ, expected):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert user_data_dir(package) == Path(expected)


def test_on_macos_it_is_that_of_macos(package, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert user_data_dir(package) == Path("/home/ann/Library/Application Support/orderapp")


def test_a_user_without_a_home_is_told_what_to_set(package, monkeypatch):
    monkeypatch.setenv("HOME", "nowhere")

    with pytest.raises(SettingsError, match="and this user has no home"):
        user_data_dir(package)


def test_the_setting_goes_before_the_users_folder(monkeypatch):
    monkeypatch.setattr("orderapp.settings.user_data_dir", lambda: Path("/users"))

    assert Settings.from_env({}).data_dir == Path("/users")
    assert Settings.from_env({"ORDERAPP_DATA_DIR": "ours"}).data_dir == Path("ours")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/venv/bin/orderapp", "orderapp dlq list"),
        ("/venv/bin/faust", "faust -A orderapp dlq list"),
        ("/site-packages/orderapp/__main__.py", "orderapp dlq list"),
    ],
)
def test_a_command_is_called_as_this_process_was(monkeypatch, path, said):
    monkeypatch.setattr(sys, "argv", [path])

    assert called("dlq list") == said


def test_the_script_is_the_command_line_of_the_app():
    config = ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"].strip().splitlines()

    assert scripts == ["orderapp = orderapp:app.main"]
    value = scripts[0].partition("=")[2].strip()
    assert EntryPoint("orderapp", value, "console_scripts").load() == app.main


#: As `faust` gives its own, and as the installed script does, which this process may lack.
PROGRAMS = {
    "faust -A orderapp": [FAUST, "-A", "orderapp"],
    "orderapp": [
        sys.executable, "-c",
        "import sys; from orderapp import app; sys.argv[0] = '/bin/orderapp'; app.main()",
    ],
    "python -m orderapp": [sys.executable, "-m", "orderapp"],
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_error_names_the_program_that_was_called(name, tmp_path):
    done = subprocess.run(
        [*PROGRAMS[name], "send", "orders", "1", "--value-type", "Nope"],
        env=environment(tmp_path / "data", {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    program = name.removeprefix("python -m ")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"orderapp: 'Nope' is no model: `{program} models` lists those that are "
        f"(`{name} send --help`)\n"
    )
