"""The Compose stack, run for real: Compose, its network, its volumes and its images.

Where Kafka's and Couchbase's own images can't be pulled, those of `stand_ins` have their names:
a real Kafka that is started as the image starts it, and the double of Couchbase. Left out are
`--build`, since the build may need the host's network, and the profile `observe`."""

import json
import uuid
from pathlib import Path

from tests.deploy import known
from tests.deploy.docker import build, docker
from tests.ports import free_port

STAND_INS = known.ROOT / "tests/deploy/stand_ins"
#: By service: the file of its stand-in, its context, and what it is made from.
MADE_FROM = {
    "kafka": ("kafka.Dockerfile", STAND_INS, "embedded"),
    "couchbase": ("couchbase.Dockerfile", known.ROOT / "tests", "production"),
}


def bring_images(services):
    """Kafka's and Couchbase's images: the real ones, or else their stand-ins."""
    for name, (file, context, target) in MADE_FROM.items():
        image = services[name]["image"]
        if docker("pull", "--quiet", image, check=False, timeout=600).returncode:
            build(target)
            docker(
                *("build", "--network=none", f"--file={STAND_INS / file}", f"--tag={image}"),
                context,
            )


def filled_in(text, name, value):
    """`.env.example` as a person fills it in: passwords go between the quotes that it has."""
    (line,) = (x for x in text.splitlines() if x.lstrip("#").startswith(f"{name}="))
    quote = "'" if line.endswith("''") else ""
    return text.replace(line, f"{name}={quote}{value}{quote}")


class Stack:
    """A project of Compose's: its name and its settings."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.project = f"orderapp-{uuid.uuid4().hex[:8]}"
        self.port = free_port()
        self.settings = directory / "env"
        text = known.read(".env.example")
        for name, value in {**settings, "ORDERAPP_PORT": self.port}.items():
            text = filled_in(text, name, value)
        self.settings.write_text(text)

    def __call__(self, *command, check=True, timeout=300):
        """`docker compose …`."""
        project = ("--project-name", self.project, "--env-file", self.settings)
        return docker("compose", *project, *command, check=check, timeout=timeout)

    def containers(self, service):
        """Their ids."""
        return self("ps", "--quiet", service).stdout.split()

    def states(self):
        """By container: its service, and what Docker says of it."""
        lines = self("ps", "--all", "--format", "json").stdout.splitlines()
        return {
            one["ID"]: (one["Service"], one["Health"] or f"{one['State']} {one['ExitCode']}")
            for one in map(json.loads, lines)
        }

    def fetch(self, service, path):
        """What a worker answers at its own port: the status, and the text."""
        script = (
            "import http.client, sys\n"
            "connection = http.client.HTTPConnection('127.0.0.1', 6066, timeout=30)\n"
            "connection.request('GET', sys.argv[1])\n"
            "answer = connection.getresponse()\n"
            "print(answer.status, answer.read().decode())\n"
        )
        answer = self("exec", "-T", service, "python", "-IS", "-c", script, path).stdout
        status, _, text = answer.partition(" ")
        return int(status), text

    def left(self):
        """All that there is of it."""
        label = f"label=com.docker.compose.project={self.project}"
        kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        return "".join(docker(*kind, "--quiet", "--filter", label).stdout for kind in kinds)


def kill(container, image):
    """Let a container's first process die as if the machine had killed it: `docker kill` would
    count as the wish that it stays away."""
    process = docker("inspect", "--format={{.State.Pid}}", container).stdout.strip()
    apart = ("--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh")
    docker("run", *apart, image, "-c", f"kill -9 {process}")
