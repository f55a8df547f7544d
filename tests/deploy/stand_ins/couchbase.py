"""Couchbase in a container: the REST API that sets a node up, and the double, which begins to
listen when there is a user who may come in."""

import base64
import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack

from tests.deploy.couchbase_rest import Node, serving

#: The service's name in docker-compose.yml, and where clients look for documents.
HOST, PORT = "couchbase", 11210


class DoubleBehind(Node):
    """A node whose documents and queries are the double's."""

    def __init__(self):
        super().__init__()
        self.double = None

    def write(self, method, path, form, signed):
        answer = super().write(method, path, form, signed)
        if self.users and self.double is None:
            self.start()
        return answer

    def start(self):
        ((user, form),) = self.users.items()
        ((bucket, scopes),) = self.buckets.items()
        # The last one that was made.
        *_, collection = (f"{name}.{one}" for name in scopes for one in scopes[name])
        self.access = f"{user}:{form['password']}"
        self.double = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.couchbase_double", "--forever"),
                *("--host", HOST, "--port", str(PORT), "--bucket", bucket),
                *("--username", user, "--password", form["password"]),
                *("--collection", collection),
            ],
            stdout=subprocess.PIPE,
        )
        self.double.stdout.readline()  # it listens

    def query(self, statement):
        request = urllib.request.Request(
            f"http://{HOST}:{PORT}/query/service",
            data=json.dumps({"statement": statement}).encode(),
            headers={
                "Authorization": f"Basic {base64.b64encode(self.access.encode()).decode()}"
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answered:
            return answered.status, answered.read()


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with ExitStack() as open_ports:
    node = DoubleBehind()
    for port in (8091, 8093):
        open_ports.enter_context(serving(node, address=("0.0.0.0", port)))
    signal.pause()
