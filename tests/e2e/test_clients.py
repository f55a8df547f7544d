"""Clients generated from `/openapi.json` for three languages, compiled, ask everything of a
real worker. What a program cannot hold, such as an id of more than 32 bits, fails here."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import clients
from tests.clients.generator import generate
from tests.clients.npm import node_with
from tests.e2e import records
from tests.e2e.worker import eventually

SOURCES = Path(clients.__file__).parent
#: Beyond 32 bits, and beyond half of the 53 that JavaScript has; the first gets an alert.
IDS = (2**31 + 7, 2**52 + 2**51 + 1)
#: A first build of Go compiles its library too: a minute of two cores.
SECONDS = 400

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def worker(pipeline):
    amounts = zip(IDS, (350.07, 20.0), strict=True)
    orders = [
        records.order(order_id, amount, created_at="2026-11-23T18:00:00.123Z")
        for order_id, amount in amounts
    ]
    records.send(pipeline.kafka, orders)
    for order_id in IDS:
        eventually(lambda order_id=order_id: pipeline.paid_order(order_id), "it is paid", 90)
    eventually(lambda: pipeline.alerts(IDS[0]), "it has an alert", 90)
    judged = ("CLEAR", "ALERT")
    eventually(lambda: pipeline.order(IDS[1])["fraud"]["verdict"] in judged, "judged", 90)
    return pipeline


@pytest.fixture(scope="module")
def generated(worker, tmp_path_factory):
    directory = tmp_path_factory.mktemp("clients")
    languages = ("python", "typescript-fetch", "go", "java", "csharp")
    url = f"http://127.0.0.1:{worker.port}/openapi.json"
    return generate(url, languages, directory)


def run(*command, **options):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, **options
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout


def check(answered, worker):
    """What a program found, against what is there."""
    found = json.loads(answered)
    order = worker.order(found["posted"]["order_id"]) or eventually(
        lambda: worker.order(found["posted"]["order_id"]), "it is stored"
    )
    assert found["posted"]["order_id"] > 2**32
    assert found["posted"]["amount"] == order["amount"] == 350.07
    assert found["event"] == found["posted"]
    assert found["status"] == 202
    assert found["location"] == found["link"] == f"orders/{order['order_id']}"
    assert found["again"] == order["order_id"]
    at = 1_795_456_800_123
    assert found["stored"] == [
        {"order_id": order_id, "amount": amount, "created_at": at}
        for order_id, amount in zip(IDS, (350.07, 20.0), strict=True)
    ]
    assert found["offsets"] == [worker.order(n)["kafka_offset"] for n in IDS]
    assert (found["payments"], found["alerts"]) == (["PAID", "PAID"], [1, 0])
    assert found["verdicts"] == ["ALERT", "CLEAR"]
    assert found["steps"] == [True]
    assert (found["listed"], found["pages"], found["counted"]) == (2, [1, 1], True)
    assert found["services"] == ["analytics", "fraud", "payment"]
    assert found["limits"] == [1000, 3, 300]
    assert found["health"] == ["ok", "ok"]
    assert found["descriptions"] == ["3.1.0", "3.0.0"]
    assert found["texts"] == [True, True]
    assert found["problems"] == [
        {"status": 404, "told": 404, "fields": []},
        {"status": 422, "told": 422, "fields": ["amount"]},
        {"status": 400, "told": 400, "fields": ["after"]},
    ]


def test_the_client_for_python(generated, worker):
    arguments = [SOURCES / "shop.py", "key-python", *map(str, IDS)]

    check(run(sys.executable, *arguments, env={"PYTHONPATH": generated["python"]}), worker)


def test_a_client_is_told_what_is_refused(generated, start):
    token, missing = "a-token-of-16-bytes", {"COUCHBASE_HOST": "127.0.0.1:1"}
    account = {f"COUCHBASE_{name}": "some" for name in ("USERNAME", "PASSWORD", "BUCKET")}
    worker = start(ORDERAPP_SERVICES="web", ORDERAPP_API_TOKEN=token, **missing, **account)
    url = f"http://127.0.0.1:{worker.port}"
    eventually(lambda: is_alive(worker), "its port is open", 60)

    found = run(
        sys.executable, SOURCES / "refused.py", url, token,
        env={"PYTHONPATH": generated["python"]},
    )  # fmt: skip

    assert [(one["status"], one["told"], one["headers"]) for one in json.loads(found)] == [
        (401, 401, ["WWW-Authenticate"]),
        (401, 401, ["WWW-Authenticate"]),
        (503, 503, ["Retry-After"]),
    ]


def is_alive(worker):
    try:
        return worker.get("/healthz")[0] == 200
    except OSError:
        return False


def test_the_client_for_go(generated, worker):
    go = shutil.which("go") or pytest.skip("go is not installed")
    directory = generated["go"]
    (directory / "shop").mkdir()
    shutil.copy(SOURCES / "shop.go", directory / "shop")
    # Compiled without optimizing and C: two thirds of the time, where its library is too.
    quick = ("-gcflags=all=-N -l", "-ldflags=-w")
    environment = os.environ | {"CGO_ENABLED": "0"}
    run(go, "build", *quick, "-o", "shop/shop", "./shop", cwd=directory, env=environment)

    check(run(directory / "shop/shop", "key-go", *map(str, IDS)), worker)


def test_the_client_for_typescript(generated, worker):
    directory = generated["typescript-fetch"]
    (directory / "package.json").write_text('{"type": "module", "private": true}')
    node = node_with(directory, "typescript@5.9.3", "@types/node@20")
    shutil.copy(SOURCES / "shop.ts", directory)
    run(
        node, "node_modules/typescript/bin/tsc", "--strict", "--module", "nodenext",
        "--target", "es2022", "--skipLibCheck", "--types", "node", "--outDir", "made",
        "shop.ts", cwd=directory,
    )  # fmt: skip

    check(run(node, "made/shop.js", "key-ts", *map(str, IDS), cwd=directory), worker)


@pytest.mark.parametrize(
    ("language", "files", "narrow"),
    [
        ("java", "src/main/java/**/model/*.java", r"private (?:Integer|Float) (\w+)"),
        ("csharp", "src/Client/Model/*.cs", r"public (?:int|float)\?? (\w+) "),
    ],
)
def test_in_other_languages_only_what_is_bounded_has_32_bits(
    generated, language, files, narrow
):
    sources = [path.read_text("utf-8") for path in generated[language].glob(files)]
    fields = {name.lower() for source in sources for name in re.findall(narrow, source)}

    assert len(sources) > 25
    assert fields == {"customerid", "status"}, "of a new order and of problem details"
