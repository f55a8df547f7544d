"""What the deployment files have to agree with, read from the code."""

import re
from pathlib import Path

from orderapp.environ import Environ
from orderapp.settings import Settings

ROOT = Path(__file__).parents[2]

#: Of a production service: what it logs in with.
KAFKA = {"KAFKA_BOOTSTRAP_SERVERS", "CONFLUENT_API_KEY", "CONFLUENT_API_SECRET"}
COUCHBASE = {
    "COUCHBASE_HOST",
    "COUCHBASE_USERNAME",
    "COUCHBASE_PASSWORD",
    "COUCHBASE_BUCKET",
}

HEALTH_COMMAND = ["python", "-IS", "/usr/local/lib/orderapp/healthcheck.py"]
DATA_DIR = "/var/lib/orderapp"
USER = "10001:10001"
#: The services that open the store.
STORE_SERVICES = {"analytics", "web"}


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def settings() -> set[str]:
    """The names of all environment variables that `Settings` reads."""
    env = Environ({})
    Settings.read(env)
    return env.names


def seconds(text: str) -> float:
    """Of a duration such as `20s` or `1m30s`."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+)([hms])", text))
