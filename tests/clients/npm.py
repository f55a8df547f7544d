"""Packages of npm, for the test that needs them."""

import shutil
import subprocess

import pytest


def node_with(directory, *packages):
    """The path of Node, with these packages in a directory; skips where they can't be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    try:
        subprocess.run(
            [npm, "install", *options, *packages],
            cwd=directory, capture_output=True, text=True, timeout=180, check=True,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm can't get {', '.join(packages)}: {error.stderr or error}")
    return node
