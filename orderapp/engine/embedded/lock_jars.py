"""Write `jars.lock` anew: `python -m orderapp.engine.embedded.lock_jars [VERSION]`.

Of Kafka's newest release, or of this one: asks Maven Central what it depends on, fetches each
jar into an empty cache, and writes down their sizes and hashes. Look at the difference before
it is committed.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jgo.maven import MavenContext, Model

from orderapp.engine.embedded.jars import LOCK_FILE, fetch, sha256

KAFKA = ("org.apache.kafka", "kafka_2.13")
#: Dependencies that a broker never loads.
UNUSED = frozenset(
    {
        *("commons-beanutils", "commons-collections", "commons-digester", "commons-logging"),
        *("jackson-dataformat-csv", "jose4j", "jspecify", "kafka-tools-api", "scala-reflect"),
    }
)
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


def main(version: str = "RELEASE") -> None:
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for each in sorted(coordinates(version)):
            path = fetch(each, Path(scratch))
            lines.append(f"{sha256(path)} {path.stat().st_size:>8} {each}\n")
    LOCK_FILE.write_text(HEAD + "".join(lines), "utf-8")
    sys.stdout.write(f"wrote {LOCK_FILE}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
