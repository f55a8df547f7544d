"""Commands of ours that run beside the worker, each in a process of a lower priority."""

import asyncio
import os
import signal
import sys
from typing import NamedTuple

from orderapp.app import app

#: What the process does before and after it is a command. Its end is set there, and not here:
#: it comes too when the worker was killed meanwhile.
_BEGIN = (
    "import os, runpy, signal, sys; os.nice(int(sys.argv.pop(1))); "
    "signal.setitimer(signal.ITIMER_REAL, float(sys.argv.pop(1)));"
)
_COMMAND = "runpy.run_module('orderapp', run_name='__main__', alter_sys=True)"


class Done(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: bytes
    complaint: str


async def run(*arguments: str, niceness: int, seconds: float) -> Done:
    """Run a command to its end. Raises TimeoutError when it takes longer, and OSError. It ends
    with whoever waits for it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{_BEGIN} {_COMMAND}", str(niceness), str(seconds)),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Its links are to lead to this worker, which may have been given another port.
        env={**os.environ, "WEB_PORT": str(app.conf.web_port)},
    )
    try:
        out, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    status = await process.wait()
    if status == -signal.SIGALRM:
        raise TimeoutError
    return Done(status, out, complaint.decode(errors="replace")[-2000:])
