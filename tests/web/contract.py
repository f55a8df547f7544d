"""Asks the views what their own description allows, and what it does not.

    python -m tests.web.contract [REQUESTS]

schemathesis makes the requests from `/openapi.json`; every answer has to be one that is
described there, and none may be a 5xx. Prints the memory, which may not grow after the first
tenth.
"""

import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz import raw

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
#: A stream without end, and what is not ready without Kafka; they have tests of their own.
EXCLUDED = "/api/events|/readyz"


@contextmanager
def served():
    """The views on a port of their own; their address, and `raw.Views`."""
    with tempfile.TemporaryDirectory() as directory, raw.views(Path(directory)) as views:
        yield f"http://127.0.0.1:{views.port}", views


def ask(url, examples, limit):
    """Run schemathesis; its output, and whether it found nothing."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
        "--checks", ",".join(CHECKS), "--exclude-path-regex", EXCLUDED,
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples),
        "--generation-database", "none", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    return done.stdout + done.stderr, done.returncode == 0


def requests_in(output):
    """How many requests were made."""
    return int(re.search(r"(\d+) generated", output)[1])


def main(wanted):
    with served() as (url, views):
        total = 0
        while total < wanted:
            output, is_right = ask(url, 400, 1200)
            total += requests_in(output)
            print(f"{total:,} requests; {views.memory():.1f} MB", flush=True)
            if not is_right:
                raise SystemExit(output)
            if total >= wanted / 10:
                views.check_memory()
    print(f"{total:,} requests, all answers as described; the memory does not grow")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
