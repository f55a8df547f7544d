"""Starting the broker: its files, its ports, and the launcher that holds it."""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from orderapp.engine.embedded import aot, jars, server, storage
from orderapp.engine.embedded.errors import OR_OWN_KAFKA, EmbeddedBrokerError
from orderapp.engine.embedded.locks import FileLock
from orderapp.engine.embedded.ports import free_ports
from orderapp.engine.private import DIRECTORY, SPARE, opener

logger = logging.getLogger(__name__)

LAUNCHER = Path(__file__).with_name("launcher.py")
LOG_NAME = "broker.log"
#: Where the cache of Kafka's classes is made.
TRAINING = "training"


def log_file(directory: Path) -> Path:
    return directory / LOG_NAME


def recorded_port(directory: Path) -> int:
    """The port of the running or last broker, 0 if there was none."""
    try:
        return int((directory / "port").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def start(directory: Path, lock: FileLock, pause: Callable[[float], object]) -> tuple[int, int]:
    """Start the launcher, which takes `lock` over, and return the ports that Kafka will have:
    the clients', and its own."""
    classpath = jars.classpath(pause)
    preferred = [port] if (port := recorded_port(directory)) else []
    ports = free_ports(str(directory), preferred)
    port, controller_port = next(ports), next(ports)
    _write_files(directory, port, controller_port)
    cache = aot.place(server.java(), classpath)
    task = {
        "launcher_lock": lock.fd,
        "command": aot.using(server.server_command(directory), cache),
        "ports": [port, controller_port],
        "training": _training(directory, cache, next(ports), next(ports)),
    }
    logger.info("Starting the embedded Kafka in %s", directory)
    _launch(directory, task, lock, server.environment(classpath))
    return port, controller_port


def _training(
    directory: Path, cache: Path | None, port: int, controller_port: int
) -> dict[str, object] | None:
    """What `trainer.py` has to do to make the cache, when it is missing."""
    apart = directory / TRAINING
    shutil.rmtree(apart, ignore_errors=True)
    if cache is None or cache.exists():
        return None
    apart.mkdir(DIRECTORY)
    (apart / "tmp").mkdir(DIRECTORY)
    _prepare(apart, port, controller_port)
    command, made = server.server_command(apart), apart / "made.aot"
    return {
        "cache": str(cache),
        "made": str(made),
        "directory": str(apart),
        "port": port,
        "record": aot.recording(command),
        "create": aot.creating(command, made),
    }


def _write_files(directory: Path, port: int, controller_port: int) -> None:
    _prepare(directory, port, controller_port)
    storage.write(directory / "port", f"{port}\n".encode("ascii"))
    # A broker that was killed leaves unpacked libraries behind.
    shutil.rmtree(directory / "tmp", ignore_errors=True)
    (directory / "tmp").mkdir(DIRECTORY, exist_ok=True)
    if log_file(directory).exists():
        log_file(directory).replace(directory / f"{LOG_NAME}.1")


def _prepare(directory: Path, port: int, controller_port: int) -> None:
    storage.format_new(directory)
    listeners = {"PLAINTEXT": port, "CONTROLLER": controller_port}
    text = server.render(server.server_properties(listeners))
    storage.write(directory / server.PROPERTIES_FILE, text.encode("ascii"))


def _launch(
    directory: Path, task: Mapping[str, object], lock: FileLock, environment: dict[str, str]
) -> None:
    with open(log_file(directory), "ab", opener=opener) as log:
        try:
            subprocess.run(  # noqa: S603  # our own script, run by our own Python
                [sys.executable, "-I", "-S", str(LAUNCHER), str(directory)],
                input=json.dumps(task).encode(),
                stdout=log,
                stderr=log,
                cwd=directory,
                env=environment,
                pass_fds=(lock.fd,),
                umask=SPARE,  # Kafka's files too are for their owner alone
                # The terminal's Ctrl-C is for the worker, which needs the broker to finish.
                start_new_session=True,
                check=True,
                timeout=30,
            )
        except subprocess.SubprocessError as error:
            raise EmbeddedBrokerError(
                f"the embedded broker's launcher failed; see {log.name}, {OR_OWN_KAFKA}"
            ) from error
