#!/opt/orderapp/bin/python
"""`kafka-broker-api-versions.sh --bootstrap-server ADDRESS`, which is not in Kafka's jars."""

import asyncio
import sys

from aiokafka.client import AIOKafkaClient


async def main() -> None:
    client = AIOKafkaClient(bootstrap_servers=sys.argv[2])
    try:
        await client.bootstrap()  # asks for the versions of the API, and raises
    finally:
        await client.close()


asyncio.run(main())
