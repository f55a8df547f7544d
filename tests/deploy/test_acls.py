"""The rights in Kafka: those that deploy/confluent-acls.sh gives are enough.

A real Kafka with its own authorizer, and an API key that may do nothing but that."""

import json
import os
import subprocess
from contextlib import ExitStack

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from orderapp.commands.acls import rights
from orderapp.settings import CONSUMERS, SERVICES
from tests.deploy import known
from tests.e2e.secure_kafka import secure_kafka
from tests.e2e.worker import eventually, faust, workers

OPERATIONS = {"read": 3, "write": 4, "create": 5}
RESOURCES = {"--topic": 2, "--consumer-group": 3}
LITERAL, ALLOW = 3, 3
RISKY = '{"order_id":123,"customer_id":1234,"amount":350,"country":"DE"}'

FAKE_CLI = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
"""


@pytest.fixture(scope="module")
def acls(tmp_path_factory):
    """What the script asks the Confluent CLI for: operation, kind of resource, name."""
    directory = tmp_path_factory.mktemp("cli")
    (directory / "confluent").write_text(FAKE_CLI)
    (directory / "confluent").chmod(0o755)
    calls = directory / "calls"
    subprocess.run(
        [known.ROOT / "deploy/confluent-acls.sh", "sa-123456"],
        env={"PATH": f"{directory}:{os.environ['PATH']}", "CALLS": str(calls)},
        check=True,
    )
    found = []
    for call in calls.read_text().splitlines():
        words = call.split()
        assert words[:4] == ["kafka", "acl", "create", "--allow"]
        assert words[4:7] == ["--service-account", "sa-123456", "--operations"]
        operations, kind, name = words[7:]
        found += [(operation, kind, name) for operation in operations.split(",")]
    return found


def test_nothing_is_allowed_but_named_topics_and_groups(acls):
    assert {kind for _, kind, _ in acls} == set(RESOURCES)
    assert {operation for operation, _, _ in acls} <= set(OPERATIONS)
    groups = {name for _, kind, name in acls if kind == "--consumer-group"}
    assert groups == {f"{name}-group" for name in (*CONSUMERS, "producer")}
    assert not [name for _, _, name in acls if "*" in name]


def test_the_script_gives_what_the_services_declare(acls):
    kinds = {"--topic": "topic", "--consumer-group": "group"}

    assert {(kinds[kind], name, operation) for operation, kind, name in acls} == {
        right[:3] for right in rights()
    }


@pytest.fixture
def kafka(tmp_path):
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The broker itself, and this test, which use the listener without a password.
        "super.users": "User:ANONYMOUS",
    }
    with secure_kafka(tmp_path, settings) as running:
        yield running


async def give(kafka, acls):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka.bootstrap_servers)
    await admin.start()
    try:
        for operation, kind, name in acls:
            who = f"User:{kafka.api_key}", "*"
            request = CreateAclsRequest(
                RESOURCES[kind], name, LITERAL, *who, OPERATIONS[operation], ALLOW
            )
            answer = await admin._send_request(request)
            assert answer.creation_responses[0][0] == 0, answer
    finally:
        await admin.close()


async def test_the_rights_are_enough_for_every_service(kafka, acls, tmp_path):
    await give(kafka, acls)
    access = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CONFLUENT_API_KEY": kafka.api_key,
        "CONFLUENT_API_SECRET": kafka.api_secret,
        "SSL_CERT_FILE": str(kafka.ca_file),
        "ORDERAPP_ORDER_INTERVAL": "0.5",
    }
    with ExitStack() as stack:
        start = stack.enter_context(workers(tmp_path / "data"))
        running = {name: start(**access, ORDERAPP_SERVICES=name) for name in SERVICES}
        for worker in running.values():
            worker.wait_ready()

        def paid():
            _, answer = running["web"].get("/api/analytics?limit=100")
            orders = answer.get("orders", ()) if isinstance(answer, dict) else ()
            return any(o["payment"] for o in orders) and any(o["alerts"] for o in orders)

        eventually(paid, "orders are produced, paid and looked at")
        for name, worker in running.items():
            assert "uthorization" not in worker.log, f"{name}: {worker.log[-3000:]}"
        the_commands_work_too(running["web"], access)


def the_commands_work_too(worker, access):
    """An order that no service can read is a dead letter of each, sent again and dropped."""

    def command(*arguments, **settings):
        result = faust(worker.data_dir, *arguments, **access, **settings)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def dlq(*arguments):
        return command("dlq", *arguments, "--json")

    no_order = ("orders", '{"order_id":123}', "--key", "123")
    command("send", *no_order, ORDERAPP_SERVICES="web")

    letters = eventually(lambda: len(got := dlq("list")) == len(CONSUMERS) and got, "letters")
    assert {name for letter in letters for name in letter["open_for"]} == set(CONSUMERS)
    assert dlq("replay", letters[0]["place"])[0]["done"] == 1
    eventually(lambda: len(dlq("list")) == len(CONSUMERS), "it failed again")
    assert dlq("drop", "--everything")[0]["done"] == len(CONSUMERS)
    assert dlq("list") == []
