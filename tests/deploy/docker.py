"""Docker: its commands, and the images that are built with it.

`.ci/run` brings an engine where none answers (engine.sh); elsewhere the tests are skipped."""

import os
import shutil
import subprocess
from functools import cache

import pytest

from tests.deploy import known

#: Why a test without an engine is skipped.
NO_ENGINE = "no image is built here: no Docker engine answers"


def docker(*arguments, check=True, timeout=120):
    done = subprocess.run(
        ["docker", *map(str, arguments)],
        cwd=known.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def need_engine():
    """Skip where no image can be built."""
    if shutil.which("docker") is None:
        pytest.skip("no image is built here: docker is not installed")
    if docker("version", "--format", "{{.Server.Version}}", check=False).returncode:
        pytest.skip(NO_ENGINE)
    base = known.read("Dockerfile").partition("\nFROM ")[2].split()[0]
    if docker("image", "inspect", base, check=False).returncode and (
        docker("pull", "--quiet", base, check=False, timeout=300).returncode
    ):
        pytest.skip(f"no image is built here: {base} cannot be pulled")


@cache
def build(target):
    """Build a target of the Dockerfile; its tag."""
    tag = f"orderapp:test-{target}"
    # The host's network and certificates: a company's proxy is met as by the tests' own pip.
    certificates = os.environ.get("SSL_CERT_FILE")
    secret = [f"--secret=id=ca,src={certificates}"] if certificates else []
    command = ["build", "--network=host", *secret, f"--target={target}", f"--tag={tag}"]
    docker(*command, known.ROOT, timeout=1200)
    return tag
