"""orderapp as a program: where it keeps its data, and by what name it was called."""

import os
import sys
from pathlib import Path

from orderapp.environ import SettingsError


def user_data_dir(package: Path = Path(__file__).parent) -> Path | None:
    """The user's folder for orderapp's data, where orderapp was installed from a wheel: its
    commands are to find one broker from any directory. None in a clone, which an editable
    install leaves where it is, and in a copy of it.

    Raises `SettingsError` where nobody knows the user's home."""
    # An installer puts a wheel's metadata beside its packages; nothing else does.
    if not any(package.parent.glob("orderapp-*.dist-info")):
        return None
    if sys.platform == "darwin":
        return _in_home("Library/Application Support")
    chosen = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification has relative paths ignored.
    return chosen / "orderapp" if chosen.is_absolute() else _in_home(".local/share")


def _in_home(name: str) -> Path:
    folder = Path(os.path.expanduser("~"), name, "orderapp")  # noqa: PTH111 - never raises
    if not folder.is_absolute():
        raise SettingsError(
            "ORDERAPP_DATA_DIR is not set, and this user has no home directory: "
            "set it to a directory to write to"
        )
    return folder


def called(command: str) -> str:
    """A command of orderapp as whoever started this process would write it."""
    is_faust = Path(sys.argv[0]).name == "faust"
    return f"{'faust -A orderapp' if is_faust else 'orderapp'} {command}"
