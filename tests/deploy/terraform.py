"""Terraform, as its users run it."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import known

#: Values that are right.
GOOD = """
confluent_bootstrap_servers = "pkc-1.eu-central-1.aws.confluent.cloud:9092"
confluent_api_key           = "KEY"
confluent_api_secret        = "s3cr3t-of-kafka"
couchbase_host              = "cb.test.cloud.couchbase.com"
couchbase_bucket            = "orders"
couchbase_username          = "orderapp"
couchbase_password          = "s3cr3t-of-couchbase"
"""


class Terraform:
    """Its program; `environment` is added to that of the tests."""

    def __init__(self, program: str, environment: Mapping[str, str] | None = None) -> None:
        self._program = program
        self._environment = environment or {}

    def within(self, environment: Mapping[str, str]) -> "Terraform":
        """The same, with these variables too."""
        return Terraform(self._program, {**self._environment, **environment})

    def __call__(
        self, directory: Path, command: str, *arguments: str, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, command, "-no-color", *arguments],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            # Terraform and its provider are Go, which by default looks for garbage so often
            # that it is a sixth of their work.
            env={**os.environ, "GOGC": "400", **self._environment},
        )

    def module(self, directory: Path) -> Path:
        """A copy of the project's module, with a provider; skips where none can be had."""
        module = directory / "terraform"
        shutil.copytree(
            known.ROOT / "terraform",
            module,
            ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "terraform.tfvars"),
        )
        options = ["-backend=false", "-input=false", *plugins()]
        started = self(module, "init", *options)
        if started.returncode != 0 and "provider" in started.stderr and len(options) == 2:
            pytest.skip("terraform init cannot install the AWS provider here")
        assert started.returncode == 0, started.stderr
        return module

    def json(self, directory: Path, command: str, *arguments: str) -> Any:
        """What it says as JSON."""
        shown = self(directory, command, "-json", *arguments)
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)


def plugins() -> list[str]:
    """Options of `terraform init` for a provider on this machine; none: the registry's."""
    places = [Path.home() / ".terraform.d" / "plugins", *Path("/opt").glob("*plugins*")]
    found = [place for place in places if [*place.glob("registry*/hashicorp/aws/*/*/*aws_v*")]]
    return [f"-plugin-dir={place}" for place in found]
