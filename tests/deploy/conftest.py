"""What is built once for all tests: the wheel, and the environments that the image has."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import known
from tests.deploy.terraform import Terraform


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """The sdist and the wheel, built from what git would give to others."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = run("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=known.ROOT).stdout
    for name in filter(None, listed.split("\0")):
        if (known.ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((known.ROOT / name).read_bytes())
    # The wheel is built from the sdist, as `pip install orderapp.tar.gz` would.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def environment(directory: Path, lock: str, wheel: Path) -> Path:
    """What the image has in /opt/orderapp: the locked packages and the wheel, no pip."""
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "--quiet", "--python", sys.executable, directory)
    install = [*uv, "pip", "install", "--quiet", "--python", directory / "bin" / "python"]
    locked = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r"]
    run(*install, *locked, known.ROOT / lock)
    run(*install, "--no-deps", "--no-index", "--compile-bytecode", wheel)
    (packages,) = directory.glob("lib/python*/site-packages")
    shutil.copy(known.ROOT / "deploy/sitecustomize.py", packages)
    return directory


@pytest.fixture(scope="session")
def production(archives, tmp_path_factory):
    """The production image's environment."""
    directory = tmp_path_factory.mktemp("production") / "orderapp"
    return environment(directory, "deploy/requirements.txt", archives[1])


@pytest.fixture(scope="session")
def embedded(archives, tmp_path_factory):
    """The embedded image's environment."""
    directory = tmp_path_factory.mktemp("embedded") / "orderapp"
    return environment(directory, "deploy/requirements-embedded.txt", archives[1])


@pytest.fixture(scope="session")
def terraform():
    """Runs `terraform`; skips where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    return Terraform(program)
