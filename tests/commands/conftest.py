"""Commands in this process, with Kafka's part played by a log of changes."""

import pytest
from click.testing import CliRunner
from faust.cli.base import cli

from orderapp.commands import changing


@pytest.fixture
def follow(monkeypatch):
    """Lets commands read changes from a log, and give what they send to `send`: a key and a
    value."""

    def follow(log, send):
        async def found():
            return "a cluster"

        async def send_once(cluster, topic, key, value):
            assert (cluster, topic) == ("a cluster", "orderapp-control")
            await send(key, value)

        class Follower:
            def __init__(self, cluster, topic, take):
                assert topic == "orderapp-control"
                self.look = log.look

            async def close(self):
                """Nothing is open."""

        monkeypatch.setattr(changing, "existing_cluster", found)
        monkeypatch.setattr(changing, "send_once", send_once)
        monkeypatch.setattr(changing, "Follower", Follower)

    return follow


def called(*arguments):
    """The status of a command, and what it prints to stdout and stderr."""
    done = CliRunner().invoke(cli, ["-A", "orderapp", *arguments])
    assert isinstance(done.exception, SystemExit | None), done.exc_info
    return done.exit_code, done.stdout, done.stderr
