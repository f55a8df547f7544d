"""What the broker of a run is told beyond the embedded broker's own settings."""

from collections.abc import Mapping

from orderapp.engine.embedded import server

MORE = {
    # Rights that can be taken away.
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    # A transaction whose producer has vanished ends soon after its time; the default is to
    # look every 10 s.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}

_own = server.server_properties


def _extended(listeners: Mapping[str, int]) -> dict[str, str]:
    return {**_own(listeners), **MORE}


def extend() -> None:
    """Let this process start the broker with them."""
    server.server_properties = _extended
