"""The storage of a new broker: what Kafka's own `kafka-storage format` writes, in milliseconds.

That tool is a Java of its own, which takes longer than all the rest of a first start. Of its
two files, `meta.properties` gives this cluster and this directory their ids, and the checkpoint
says which features a new cluster begins with. The latter is the same for each cluster of one
Kafka: `lock_jars.py` has the tool of the pinned one write it.
"""

import base64
import uuid
from pathlib import Path

from orderapp.engine.private import DIRECTORY, opener

#: Below the working directory of a broker.
LOG_DIR = "log"
CHECKPOINT = Path("__cluster_metadata-0", "00000000000000000000-0000000000.checkpoint")
PINNED = Path(__file__).with_name("bootstrap.checkpoint")


def is_formatted(directory: Path) -> bool:
    return (directory / LOG_DIR / "meta.properties").exists()


def cluster_id(directory: Path) -> str:
    """That of the cluster whose storage is there; empty where the file is damaged, of which
    Kafka itself says what is wrong. Raises `OSError`."""
    lines = (directory / LOG_DIR / "meta.properties").read_text("latin-1").splitlines()
    ids = (line.partition("=")[2] for line in lines if line.startswith("cluster.id="))
    return next(ids, "")


def format_new(directory: Path) -> None:
    """Make the storage of a new cluster, unless there is one. Raises `OSError`."""
    if is_formatted(directory):
        return
    logs = directory / LOG_DIR
    checkpoint = logs / CHECKPOINT
    # Each by itself: `mkdir` would make parents for everybody.
    for each in (directory, logs, checkpoint.parent):
        each.mkdir(DIRECTORY, exist_ok=True)
    write(checkpoint, PINNED.read_bytes())
    # Last, and whole: it tells that the rest is there.
    properties = logs / "meta.properties"
    fresh = properties.with_suffix(".new")
    write(fresh, _properties().encode())
    fresh.replace(properties)


def write(path: Path, content: bytes) -> None:
    """Write a file for its owner alone."""
    with open(path, "wb", opener=opener) as file:
        file.write(content)


def _properties() -> str:
    return f"version=1\ncluster.id={_new_id()}\ndirectory.id={_new_id()}\nnode.id=1\n"


def _new_id() -> str:
    """As Kafka writes one: base64 of a UUID. Its tools take a leading dash for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes)).startswith(b"-"):
        pass
    return text.decode().rstrip("=")
