"""Changes the rules of fraud while orders are judged."""

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.chaos import admin
from tests.chaos.archive import Archive
from tests.chaos.lag import committed
from tests.chaos.rulebook import LARGE, VELOCITY, Done

TOPIC = "orderapp-control"
#: The share of changes that put the rule with a window into the shadow.
SHADOW = 0.1


class Changes:
    """Sends changes, and notes before each which orders are judged already."""

    def __init__(self, server: str, archive: Archive) -> None:
        self._server = server
        self._archive = archive
        self._lock = asyncio.Lock()
        self._versions = {LARGE: 1, VELOCITY: 1}
        #: By rule and version.
        self.done: dict[tuple[str, int], Done] = {}

    async def begin(self) -> str:
        """Let the rule with a window raise alerts."""
        return await self._change(VELOCITY, "active", {"limit": 3, "seconds": 10})

    async def any(self, rng: random.Random) -> str:
        """Change one of the rules; what it is now."""
        if rng.random() < 0.3:
            return await self._change(LARGE, "active", {"limit": rng.choice((200, 300, 400))})
        state = "shadow" if rng.random() < SHADOW else "active"
        values = {"limit": rng.randint(2, 6), "seconds": rng.choice((5, 10, 20))}
        return await self._change(VELOCITY, state, values)

    async def _change(self, rule: str, state: str, parameters: dict[str, Any]) -> str:
        async with self._lock:
            version = self._versions[rule] + 1
            self.done[rule, version] = await self._done()
            moment = datetime.now(UTC).isoformat()
            what = {"rule": rule, "state": state, "version": version, "parameters": parameters}
            change = what | {"changed_at": moment, "author": "chaos"}
            await admin.until_there(lambda: self._send(rule, json.dumps(change).encode()))
            self._versions[rule] = version
        settings = " ".join(f"{name}={value}" for name, value in parameters.items())
        return f"{rule} is {state}, version {version}, {settings}"

    async def _done(self) -> Done:
        offsets = await admin.until_there(lambda: committed(self._server))
        return {
            (tp.topic, self._archive.epoch(tp.topic), tp.partition): offset
            for tp, offset in offsets.items()
        }

    async def _send(self, rule: str, value: bytes) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._server, acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(TOPIC, value, key=f"rule:{rule}".encode(), partition=0)
        finally:
            await producer.stop()
