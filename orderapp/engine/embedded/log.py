"""What the broker's log says last."""

import re
from pathlib import Path

_TAIL_BYTES = 64 * 1024
_TROUBLE = re.compile(r"ERROR|FATAL|Exception|Error\b|Caused by:|launcher - ")
# Frames of a stack trace and the lines of a settings dump begin with white space.
_NOISE = re.compile(r"\s|WARNING: |$")


def last_words(log: Path) -> str:
    """The last line that tells what went wrong, or the last line at all."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    lines = [line for line in lines if not _NOISE.match(line)]
    trouble = [line for line in lines if _TROUBLE.search(line)]
    return (trouble or lines or ["its log is empty"])[-1].strip()
