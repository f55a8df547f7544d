"""The image itself, built and run, where a Docker engine answers."""

import json
import time
import uuid

import pytest

from tests.deploy import known
from tests.deploy.docker import build, docker, need_engine
from tests.e2e.worker import eventually

ORDER = {"order_id": 123, "customer_id": 1234, "amount": 350, "country": "DE"}
LOCKED_IN = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true")

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module", autouse=True)
def engine():
    need_engine()


@pytest.fixture(scope="module", params=["production", "embedded"])
def built(request):
    """A target's image: its name and its tag."""
    return request.param, build(request.param)


def test_the_image_is_what_its_recipe_says(built):
    target, tag = built
    (image,) = json.loads(docker("image", "inspect", tag).stdout)
    config = image["Config"]
    assert config["User"] == known.USER
    assert config["Entrypoint"] == ["faust", "-A", "orderapp", "worker"]
    assert config["StopSignal"] == "SIGTERM"
    history = docker("history", "--no-trunc", tag).stdout
    assert "PASSWORD" not in history.upper()
    found = docker(
        *("run", "--rm", "--network=none", "--entrypoint=sh", tag, "-c"),
        "command -v java gcc cc; find / -xdev -name 'java' -type f 2>/dev/null; true",
    ).stdout
    assert bool(found.strip()) == (target == "embedded")


def test_a_container_without_a_needed_setting_ends_with_one_clear_line():
    start = ("run", "--rm", "--network=none", *LOCKED_IN)
    ended = docker(*start, build("production"), check=False)
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "CRITICAL" in line]
    assert ended.returncode != 0
    assert len(said) == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in said[0]


def test_the_trace_runs_in_one_container():
    name = f"orderapp-{uuid.uuid4().hex[:8]}"
    start = ("run", "--detach", f"--name={name}", "--network=none", *LOCKED_IN)
    docker(*start, "--env=ORDERAPP_ORDER_INTERVAL=3600", build("embedded"))
    try:
        inspect = ("inspect", "--format={{.State.Status}} {{.State.Health.Status}}", name)

        def healthy():
            status, health = docker(*inspect).stdout.split()
            assert (status, health != "unhealthy") == ("running", True), docker("logs", name)
            return health == "healthy"

        eventually(healthy, "healthy", 120)
        sent = ("exec", name, "faust", "-A", "orderapp", "send", "orders", json.dumps(ORDER))
        docker(*sent, "--key", "123", "--value-type", "Order")
        fetch = (
            "import urllib.request as u; "
            "print(u.urlopen('http://127.0.0.1:6066/api/orders/123').read().decode())"
        )

        def stored():
            answer = docker("exec", name, "python", "-c", fetch, check=False)
            order = json.loads(answer.stdout)["order"] if answer.returncode == 0 else {}
            return order.get("payment") and order.get("alerts")

        eventually(stored, "order 123 is paid and has its alert", 60)
        number_1 = docker("exec", name, "sh", "-c", "cat /proc/1/status").stdout
        assert "CapEff:\t0000000000000000" in number_1
        assert "Uid:\t10001\t10001\t10001\t10001" in number_1
        started = time.monotonic()
        docker("stop", "--time=30", name)
        assert time.monotonic() - started < 10
        assert docker("inspect", "--format={{.State.ExitCode}}", name).stdout.strip() == "0"
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
