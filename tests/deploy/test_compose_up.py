"""`docker compose up`, from nothing to orders that are paid, where a Docker engine answers."""

import http.client
import json

import pytest
import yaml

from orderapp.settings import SERVICES
from tests.deploy import known
from tests.deploy.docker import build, docker, need_engine
from tests.deploy.stack import Stack, bring_images, kill
from tests.e2e.worker import eventually

#: As a password generator makes them: Compose takes a `$` for the beginning of a variable.
PASSWORDS = {
    "COUCHBASE_PASSWORD": "pa$word-${HOME}$$7",
    "COUCHBASE_ADMIN_PASSWORD": "ad$min-$HOME$$8",
}
ORDER = {"customer_id": 1234, "amount": 350, "country": "DE"}

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """The stack, and what `up` said. It gets no orders but those of the tests."""
    need_engine()
    if docker("compose", "version", check=False).returncode:
        pytest.skip("docker compose is not installed")
    image = build("production")
    bring_images(yaml.safe_load(known.read("docker-compose.yml"))["services"])
    stack = Stack(
        tmp_path_factory.mktemp("compose"),
        ORDERAPP_IMAGE_TAG=image.partition(":")[2],
        ORDERAPP_ORDER_INTERVAL="3600",
        **PASSWORDS,
    )
    try:
        said = stack("up", "--wait", "--no-build", check=False)
        assert said.returncode == 0, said.stderr + stack("logs", "--tail=30").stdout
        yield stack, said.stderr
    finally:
        stack("down", "--volumes", "--timeout=1", check=False)


@pytest.fixture
def stack(up):
    return up[0]


def request(stack, method, path, body=None):
    """What the page asks for: the status, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    connection.request(
        method, path, body and json.dumps(body), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    return answer.status, json.load(answer)


def send(stack):
    status, answer = request(stack, "POST", "/api/orders", ORDER)
    assert status == 202, answer
    return answer["order"]["order_id"]


def paid(stack, order_id):
    def is_paid():
        status, answer = request(stack, "GET", f"/api/orders/{order_id}")
        assert status in {200, 404}, answer  # 404: it is not stored yet
        order = answer.get("order", {})
        return order.get("payment") and order.get("alerts") and order

    return eventually(is_paid, f"order {order_id} is paid and has its alert")


# In this order: each goes on with the stack that the one before has left.


def test_who_waits_for_it_has_services_that_are_ready(stack):
    healthy = dict.fromkeys((*SERVICES, "kafka", "couchbase"), "healthy")
    assert dict(stack.states().values()) == {**healthy, "couchbase-init": "exited 0"}
    for service in SERVICES:
        assert stack.fetch(service, "/readyz") == (200, '{"status":"ok"}\n'), service


def test_passwords_arrive_as_they_stand_in_the_file(up):
    stack, said = up
    assert "variable is not set" not in said
    name = "COUCHBASE_PASSWORD"
    assert stack("exec", "-T", "web", "printenv", name).stdout == f"{PASSWORDS[name]}\n"


def test_an_order_that_the_page_sends_is_stored_judged_and_paid(stack):
    order = paid(stack, send(stack))
    assert order["payment"]["status"] == "PAID"
    assert order["amount"] == 350


def test_an_order_that_a_command_sends_too(stack):
    order = {**ORDER, "order_id": 123}
    sent = ("exec", "-T", "payment", "faust", "-A", "orderapp", "send", "orders")
    stack(*sent, json.dumps(order), "--key", "123", "--value-type", "Order")
    assert paid(stack, 123)["customer_id"] == 1234
    assert "payment" in stack("logs", "payment").stdout


def test_of_three_containers_one_may_die(stack):
    stack("up", "-d", "--no-recreate", "--no-build", "--wait", "--scale", "payment=3")
    first, *others = stack.containers("payment")
    assert len(others) == 2
    kill(first, build("production"))
    for order_id in [send(stack) for _ in range(6)]:  # in all partitions, more or less
        paid(stack, order_id)
    inspect = ("inspect", "--format={{.RestartCount}} {{.State.Health.Status}}", first)
    eventually(lambda: docker(*inspect).stdout == "1 healthy\n", "it is back", 120)


def test_nothing_is_left_of_it_afterwards(stack):
    assert stack.left()
    stack("down", "--volumes")
    assert stack.left() == ""
