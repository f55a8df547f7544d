"""What is released: archives with everything in them, which run where nothing else is."""

import os
import re
import subprocess
import tarfile
import zipfile

import pytest

from tests.deploy import known
from tests.ports import free_port

#: What is easily forgotten, since Python itself does not ask for it.
NEEDED = {
    "orderapp/py.typed",
    "orderapp/engine/embedded/bootstrap.checkpoint",
    "orderapp/engine/embedded/jars.lock",
    *(
        str(path.relative_to(known.ROOT))
        for path in (known.ROOT / "orderapp/web/page/static").rglob("*")
        if path.is_file()
    ),
}


@pytest.fixture(scope="module")
def sources():
    return {
        str(path.relative_to(known.ROOT)) for path in (known.ROOT / "orderapp").rglob("*.py")
    }


def test_the_wheel_has_all_of_the_package_and_nothing_else(archives, sources):
    with zipfile.ZipFile(archives[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == sources | NEEDED


def test_the_sdist_has_it_too(archives, sources):
    with tarfile.open(archives[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert sources | NEEDED | {"setup.cfg", "pyproject.toml", "LICENSE", "README.md"} <= names
    assert not {name for name in names if name.startswith((".env", "terraform/"))}


def test_the_version_stands_in_one_place(archives):
    version = re.search(r"^version = (.+)$", known.read("setup.cfg"), re.M)[1]
    assert archives[1].name.startswith(f"orderapp-{version}-")
    for path in (known.ROOT / "orderapp").rglob("*.py"):
        assert "__version__" not in path.read_text("utf-8"), path
    assert not re.search(r"^\s*version\s*=", known.read("pyproject.toml"), re.M)


def faust(environment, tmp_path, *arguments, **settings):
    """Run a command of the installed program, far from its source."""
    return subprocess.run(
        [environment / "bin" / "faust", "-A", "orderapp", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def test_the_wheel_runs_with_the_locked_packages_and_nothing_else(production, tmp_path):
    listed = faust(production, tmp_path, "agents")
    assert listed.returncode == 0, listed.stderr
    for agent in ("fraud", "payment", "analytics"):
        assert agent in listed.stdout


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "SASL_SSL://x:9092"}, "KAFKA_BOOTSTRAP_SERVERS="),
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "x:9092", "CONFLUENT_API_KEY": "KEY"},
            "CONFLUENT_API_SECRET is not set",
        ),
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "x:9092", "COUCHBASE_HOST": "cb.cloud.couchbase.com"},
            "COUCHBASE_USERNAME is not set",
        ),
    ],
)
def test_a_container_without_a_needed_setting_ends_with_one_clear_line(
    production, tmp_path, settings, text
):
    ended = faust(production, tmp_path, "worker", "-p", str(free_port()), **settings)
    assert ended.returncode != 0
    said = [
        line
        for line in (ended.stdout + ended.stderr).splitlines()
        if "CRITICAL" in line or line.startswith("orderapp:")
    ]
    assert len(said) == 1, ended.stdout + ended.stderr
    assert text in said[0]
    assert "Traceback" not in ended.stdout + ended.stderr
