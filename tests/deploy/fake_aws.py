"""AWS on this machine, as far as moto has it."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

#: What AWS's clients, Terraform's provider among them, are told.
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    # What moto has not is an error at once, not after minutes of tries.
    "AWS_MAX_ATTEMPTS": "2",
}


@contextmanager
def fake_aws() -> Iterator[dict[str, str]]:
    """The environment of its clients, while it runs."""
    # A tenth of what collecting all tests takes, and each process of a run collects them.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        _add_tags(patched)
        _run_on_fargate(patched)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield {**ACCOUNT, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        finally:
            server.stop()


def client(service: str, aws: Mapping[str, str], region: str) -> Any:
    """A client of one of its services."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        region_name=region,
    )


def _add_tags(patched: pytest.MonkeyPatch) -> None:
    """The tags of autoscaling, which moto lacks and the provider asks for."""
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    tags: dict[str, dict[str, str]] = {}

    def listed(self: Any) -> str:
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    def tag(self: Any) -> str:
        tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return "{}"

    answers = {"list_tags_for_resource": listed, "tag_resource": tag}
    for name, answer in answers.items():
        patched.setattr(ApplicationAutoScalingResponse, name, answer, raising=False)


def _run_on_fargate(patched: pytest.MonkeyPatch) -> None:
    """Tasks whose containers say nothing of memory, which only the task has on Fargate: moto
    adds it up as for a machine of one's own."""
    from moto.ecs.models import EC2ContainerServiceBackend

    needed: dict[str, Any] = {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
    name = "_calculate_task_resource_requirements"
    patched.setattr(EC2ContainerServiceBackend, name, lambda self, definition: needed)
