"""Compile the application and become it.

python -m tests.benchmarks.contenders.kafka_streams
"""

import os
import subprocess
from pathlib import Path

from orderapp.engine.embedded.jars import classpath
from orderapp.engine.embedded.server import java
from tests.benchmarks.contenders.kafka_streams import JARS
from tests.jars import fetched

SOURCES = Path(__file__).parent
COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
#: Of a Java that runs for seconds.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
#: The heap that Kafka's own scripts give a program; compilers and collector are Java's choice.
OPTIONS = (
    "-Xmx256m",
    # Only against two warnings.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.io.tmpdir=.",  # SQLite's library is unpacked there
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def compiled(libraries: str) -> Path:
    """The directory of the classes, below the current one."""
    classes = Path("classes").absolute()
    sources = sorted(map(str, SOURCES.glob("*.java")))
    command = [java(), *QUICK, "-cp", libraries, COMPILER, "-21", "-proc:none", "-d", classes]
    subprocess.run([*command, *sources], check=True)
    return classes


def main() -> None:
    """Never returns."""
    libraries = ":".join(map(str, [*classpath(lambda _: None), *fetched(JARS)]))
    everything = f"{compiled(libraries)}:{libraries}"
    os.execv(java(), [str(java()), *OPTIONS, "-cp", everything, "Pipeline"])


if __name__ == "__main__":
    main()
