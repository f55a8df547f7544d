"""A real Kafka of a test's own, which can be killed and started again on the same port."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orderapp.engine.embedded import aot, jars, server, storage
from orderapp.engine.embedded.launcher import Java
from orderapp.engine.embedded.ports import LOOPBACK, cluster_at
from tests.ports import free_port

START_SECONDS = 90


class Kafka:
    """One broker in a directory; its Java cannot outlive this process."""

    def __init__(self, directory: Path, *, secure: bool = False) -> None:
        self.directory = directory
        (directory / "tmp").mkdir(parents=True)
        self.port = free_port()
        self.listeners = {"PLAINTEXT": self.port, "CONTROLLER": free_port()}
        if secure:
            self.listeners["SASL_SSL"] = free_port()
        self.java: Java | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def format(self, settings: Mapping[str, str] | None = None) -> None:
        """Write the settings (more than the embedded broker's, if given), make the logs."""
        properties = {**server.server_properties(self.listeners), **(settings or {})}
        (self.directory / "server.properties").write_text(server.render(properties))
        storage.format_new(self.directory)

    def start(self) -> None:
        """Start the broker, or start it again, and wait until it works."""
        self.java = _run(self.directory, server.server_command(self.directory))
        deadline = time.monotonic() + START_SECONDS
        while not cluster_at(self.port):
            assert self.java.exit_code() is None, self.log_text()
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)

    restart = start

    def kill(self) -> None:
        """kill -9, as an outage does."""
        assert self.java is not None
        self.java.process.kill()
        self.java.process.wait()
        self.java.exit_code()

    def stop(self) -> None:
        """End it in order; may be called when it does not run."""
        if self.java is not None:
            self.java.stop()

    def log_text(self) -> str:
        return (self.directory / "broker.log").read_text()


def _run(directory: Path, command: list[str]) -> Java:
    # Java starts in the working directory: it is where its relative paths point to.
    script = 'cd "$1" && shift && exec env -i "$@"'
    classpath = jars.classpath(time.sleep)
    command = aot.using(command, aot.place(server.java(), classpath))
    variables = [f"{name}={value}" for name, value in server.environment(classpath).items()]
    log = os.open(directory / "broker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return Java(
            ["/bin/sh", "-c", script, "kafka", str(directory), *variables, *command], log=log
        )
    finally:
        os.close(log)


@contextmanager
def plain_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A running Kafka without TLS or passwords, in `tmp_path/kafka-server`."""
    kafka = Kafka(tmp_path / "kafka-server")
    kafka.format()
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()
