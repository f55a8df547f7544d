"""Asks the views what their own description allows, and what it does not.

    python -m tests.web.contract [REQUESTS]

schemathesis makes the requests from `/openapi.json`; every answer has to be one that is
described there, and none may be a 5xx. Prints the memory before and after.
"""

import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.e2e.worker import free_port

ROOT = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
#: A stream without end, and what every worker answers; they have tests of their own.
EXCLUDED = "/api/events|/metrics|/healthz|/readyz"


@contextmanager
def served():
    """The views on a port of their own; the process."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.web.served", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the views did not start"
                assert time.monotonic() < deadline, "the views do not answer"
                time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


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
    with served() as (url, process):
        ask(url, 50, 300)  # warm
        before, total = process.memory_info().rss, 0
        while total < wanted:
            output, is_right = ask(url, 400, 1200)
            total += requests_in(output)
            print(f"{total:,} requests; {process.memory_info().rss / 1e6:.1f} MB", flush=True)
            if not is_right:
                raise SystemExit(output)
        after = process.memory_info().rss
    print(f"{total:,} requests, all answers as described")
    print(f"memory: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
