"""The data directory: who may read it, and which directories are left alone."""

import os
import stat

import pytest

from orderapp.engine.private import PrivateDirectory

NAMES = ("orders.db", "orders.db-wal", "kafka")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def earlier(tmp_path):
    """As an earlier version has left it."""
    directory = tmp_path / "data"
    (directory / "kafka" / "log" / "orders-0").mkdir(parents=True)
    for name in ("orders.db", "orders.db-wal", "kafka/port", "kafka/log/orders-0/0.log"):
        (directory / name).write_text("")
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return directory


def loose(directory):
    return sorted(p.name for p in (directory, *directory.rglob("*")) if mode(p) & 0o077)


def test_a_new_directory_is_for_its_owner_alone_and_nothing_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    PrivateDirectory(tmp_path / "a" / "data", *NAMES).prepare()

    assert mode(tmp_path / "a" / "data") == 0o700
    assert mode(tmp_path / "a") == 0o777 & ~umask()
    assert caplog.records == []


def umask():
    os.umask(now := os.umask(0))
    return now


def test_a_directory_of_an_earlier_version_is_tightened_and_that_is_said(earlier, caplog):
    PrivateDirectory(earlier, *NAMES).prepare()

    assert loose(earlier) == []
    assert mode(earlier / "kafka" / "log") == 0o700
    assert mode(earlier / "orders.db") == 0o600
    assert caplog.messages == [
        f"{earlier} had the mode 755: from now on it is for its owner alone"
    ]


@pytest.mark.parametrize("kind", ["holds other things", "sticky", "another user's"])
def test_a_directory_of_others_too_keeps_its_mode_and_what_is_ours_in_it_is_private(
    earlier, caplog, monkeypatch, kind
):
    caplog.set_level("INFO")
    kept = 0o755
    if kind == "holds other things":
        (earlier / "kafka-notes.txt").write_text("")
        (earlier / "kafka-notes.txt").chmod(0o644)
    elif kind == "sticky":
        earlier.chmod(kept := 0o1777)
    else:
        # As for a directory that root has made and lets a group in.
        real = type(earlier).stat
        other = (*real(earlier)[:4], os.geteuid() + 1, *real(earlier)[5:])
        monkeypatch.setattr(
            type(earlier),
            "stat",
            lambda path, **o: os.stat_result(other) if path == earlier else real(path, **o),
        )

    PrivateDirectory(earlier, *NAMES).prepare()

    monkeypatch.undo()
    others = ["kafka-notes.txt"] if kind == "holds other things" else []
    assert loose(earlier) == ["data", *others]
    assert mode(earlier) == kept
    assert caplog.messages == [
        f"{earlier} is shared, and keeps its mode {kept:o}: only what is made in it is private"
    ]


def test_what_a_link_leads_to_outside_is_left_alone(earlier, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o644)
    (earlier / "kafka" / "link").symlink_to(outside)
    (earlier / "kafka" / "dangling").symlink_to(tmp_path / "nowhere")

    PrivateDirectory(earlier, *NAMES).prepare()

    assert mode(outside) == 0o644


def test_a_directory_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "data").write_text("")

    with pytest.raises(OSError, match="exists"):
        PrivateDirectory(tmp_path / "data", *NAMES).prepare()
