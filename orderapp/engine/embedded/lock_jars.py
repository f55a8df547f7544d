"""Pin another Kafka: `python -m orderapp.engine.embedded.lock_jars [VERSION]`.

The newest release, or this one. Writes `jars.lock`: asks Maven Central what it depends on,
fetches each jar into an empty cache, and writes down their sizes and hashes; and
`bootstrap.checkpoint`, as its own tool makes it. Look at the difference before it is committed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jgo.maven import MavenContext, Model

from orderapp.engine.embedded import server, storage
from orderapp.engine.embedded.jars import LOCK_FILE, fetch, sha256

KAFKA = ("org.apache.kafka", "kafka_2.13")
#: Dependencies that a broker never loads.
UNUSED = frozenset(
    {
        *("commons-beanutils", "commons-collections", "commons-digester", "commons-logging"),
        *("jackson-dataformat-csv", "jose4j", "jspecify", "kafka-tools-api", "scala-reflect"),
    }
)
#: The cluster's own id is not in what is pinned.
ANY_ID = "AAAAAAAAQACAAAAAAAAAAg"
HEAD = """\
# Apache Kafka for the embedded broker: SHA-256, size in bytes, group:artifact:version.
# Written by orderapp.engine.embedded.lock_jars.
"""


def coordinates(version: str) -> Iterator[str]:
    """Those of a broker of this version (`RELEASE`: the newest), and of slf4j-simple, by which
    it logs."""
    kafka = MavenContext().project(*KAFKA).at_version(version)
    yield ":".join((*KAFKA, kafka.resolved_version))
    dependencies, _ = Model(kafka.pom(), kafka.context).dependencies()
    for each in dependencies:
        if each.artifactId not in UNUSED:
            yield f"{each.groupId}:{each.artifactId}:{each.version}"
        if each.artifactId == "slf4j-api":
            yield f"{each.groupId}:slf4j-simple:{each.version}"


def checkpoint(classpath: list[Path], directory: Path) -> bytes:
    """With what a new cluster of this Kafka begins, as its own tool writes it in a new
    directory. Raises `CalledProcessError`."""
    (directory / "tmp").mkdir(parents=True)
    listeners = {"PLAINTEXT": 1, "CONTROLLER": 2}  # nobody listens
    properties = server.render(server.server_properties(listeners))
    (directory / server.PROPERTIES_FILE).write_text(properties, "ascii")
    tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={ANY_ID}"]
    subprocess.run(  # noqa: S603  # the Java of our extra
        [*server.java_command(directory), *tool, "-c", server.PROPERTIES_FILE],
        env=server.environment(classpath),
        cwd=directory,
        stdout=sys.stderr,
        check=True,
    )
    return (directory / storage.LOG_DIR / storage.CHECKPOINT).read_bytes()


def main(version: str = "RELEASE") -> None:
    lines, classpath = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for each in sorted(coordinates(version)):
            path = fetch(each, Path(scratch, "repository"))
            lines.append(f"{sha256(path)} {path.stat().st_size:>8} {each}\n")
            classpath.append(path)
        begun = checkpoint(classpath, Path(scratch, "formatted"))
    LOCK_FILE.write_text(HEAD + "".join(lines), "utf-8")
    storage.PINNED.write_bytes(begun)
    sys.stdout.write(f"wrote {LOCK_FILE} and {storage.PINNED}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
