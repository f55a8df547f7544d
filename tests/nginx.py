"""A real nginx for tests; only a machine without one skips."""

import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

MAIN = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include server.conf;
}
"""


@contextmanager
def nginx(directory: Path, server: str):
    """Run nginx with this `server { … }`, which listens at `listen 80;`; its port."""
    tool = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if tool is None:
        pytest.skip("nginx is not installed (Debian: `apt-get install nginx-light`)")
    port = free_port()
    assert "listen 80;" in server
    (directory / "nginx.conf").write_text(MAIN)
    listening = server.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (directory / "server.conf").write_text(listening)
    log = directory / "nginx.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [tool, "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not (directory / "nginx.pid").exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(60)
