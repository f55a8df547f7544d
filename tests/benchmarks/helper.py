"""Helpers of a measurement: modules that work in a process of their own, until they are told
to end, and then say what they found."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.benchmarks.processes import ROOT
from tests.benchmarks.throughput import ContenderError

#: What a helper may write, in bytes, and the seconds it has to begin and to end.
MOST, PATIENCE = 16 << 20, 60.0


class Helper:
    """A helper that works."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def end(self) -> Any:
        """Let it end; returns what it found."""
        output, _ = await asyncio.wait_for(self._process.communicate(b""), PATIENCE)
        return json.loads(output)


@asynccontextmanager
async def helper(module: str, *arguments: str, begun: str) -> AsyncIterator[Helper]:
    """Start `module`, which writes the line `begun` when it works."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, limit=MOST,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        if line.decode().strip() != begun:
            raise ContenderError(f"{module} could not begin")
        yield Helper(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
