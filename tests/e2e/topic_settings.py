"""Topics with settings of a test's own, and settings that change while workers run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


def create(server: str, name: str, partitions: int = 6, **settings: str) -> None:
    """Make a topic; a dot in a setting's name is written as `_`."""
    topic = NewTopic(name, partitions, 1, topic_configs=_dotted(settings))
    _run(server, lambda admin: admin.create_topics([topic]))


def change(server: str, name: str, **settings: str) -> None:
    """Give a topic these settings; all others become the broker's."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name, _dotted(settings))
    _run(server, lambda admin: admin.alter_configs([resource]))


def _dotted(settings: dict[str, str]) -> dict[str, str]:
    return {setting.replace("_", "."): value for setting, value in settings.items()}


def _run(server: str, work: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=server)
        await admin.start()
        try:
            answer = await work(admin)
        finally:
            await admin.close()
        assert "error_code=0" in str(answer) or "error_code" not in str(answer), answer

    asyncio.run(run())
