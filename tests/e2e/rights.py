"""Rights of the API key on a Kafka with its own authorizer: given and taken away."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from tests.e2e.secure_kafka import SecureKafka

#: Settings of the broker. It and the tests use the listener without a password.
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
TOPICS = (
    *("orders", "fraud-alerts", "fraud-alerts-shadow", "payments", "orderapp-control"),
    *("orders-by-customer", "orders-dlq", "orders-dlq-resolved"),
)
OPERATIONS = {"read": 3, "write": 4, "create": 5, "describe": 8, "describe-configs": 10}
KINDS = {"topic": 2, "group": 3}
ANY, LITERAL, ALLOW = 1, 3, 3


class Rights:
    """Those of `kafka.api_key`; none at first."""

    def __init__(self, kafka: SecureKafka) -> None:
        self._server = kafka.kafka.bootstrap_servers
        self._who = f"User:{kafka.api_key}", "*"

    def give(self, kind: str, name: str, *operations: str) -> None:
        """Allow these operations on a topic or group."""
        for operation in operations:
            self._ask(
                CreateAclsRequest(
                    KINDS[kind], name, LITERAL, *self._who, OPERATIONS[operation], ALLOW
                ),
                lambda answer: answer.creation_responses[0][0],
            )

    def take(self, kind: str, name: str, *operations: str) -> None:
        """Take them away again; all there are when none is named."""
        for operation in [OPERATIONS[o] for o in operations] or [ANY]:
            self._ask(
                DeleteAclsRequest(KINDS[kind], name, LITERAL, *self._who, operation, ANY),
                lambda answer: answer.filter_responses[0][0],
            )

    def give_all(self, group: str = "orderapp") -> None:
        """What one worker with every service needs."""
        for topic in TOPICS:
            self.give("topic", topic, "create", "read", "write")
        self.give("topic", f"{group}-__assignor-__leader", "create", "read")
        self.give("group", group, "read")

    def _ask(self, request: Any, error_code: Callable[[Any], int]) -> None:
        async def ask() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._server)
            await admin.start()
            try:
                answer = await admin._send_request(request)
                assert error_code(answer) == 0, answer
            finally:
                await admin.close()

        asyncio.run(ask())
