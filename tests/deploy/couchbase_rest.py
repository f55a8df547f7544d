"""Couchbase's REST API, as far as deploy/couchbase_init.py asks it: of one node, which refuses
what a node refuses that has its cluster, or lacks it."""

import base64
import http.server
import json
import ssl
import threading
import urllib.parse
from contextlib import contextmanager


class _Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(*self.server.node.get(unquoted(self.path), self.signed()))

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        values = {key: value[0] for key, value in form.items()}
        node = self.server.node
        if node.dies_before == len(node.writes):
            return self.die()
        answer = node.write(self.command, unquoted(self.path), values, self.signed())
        if node.dies_after == len(node.writes):
            return self.die()
        return self.reply(*answer)

    do_PUT = do_POST  # noqa: N815  # its name is the protocol's

    def signed(self):
        header = self.headers.get("Authorization", "Basic ")
        return tuple(base64.b64decode(header[6:]).decode().split(":", 1))

    def die(self):
        """Cut the connection: the script gets no answer, as when it is killed itself."""
        self.close_connection = True

    def reply(self, status, body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def unquoted(path):
    """The parts of a path; a name that was not quoted would fall into several."""
    return [urllib.parse.unquote(part) for part in path.split("/")[1:]]


class Node:
    """A node without a cluster, until it gets one."""

    def __init__(self):
        self.admin = None
        self.buckets, self.users = {}, {}
        self.storage, self.services, self.memory = "", [], None
        self.count, self.replicas = 1, None
        self.statements = []
        self.busy = 0  # queries that find the bucket not there yet
        self.writes = []
        self.dies_before = self.dies_after = None  # so many writes

    def state(self):
        return (
            self.admin, self.buckets, self.users, self.storage, self.services, self.memory,
            set(self.statements),
        )  # fmt: skip

    def get(self, path, signed):
        if path == ["pools"]:  # for anybody, and before there is a cluster
            return 200, b"{}"
        if self.admin is None:
            return 404, b'"unknown pool"'
        if signed != self.admin:
            return 401, b""
        if path == ["pools", "default"]:
            nodes = [{"services": self.services}] * self.count
            return 200, json.dumps({"nodes": nodes}).encode()
        if path == ["settings", "indexes"]:
            return 200, json.dumps({"storageMode": self.storage}).encode()
        match path:
            case ["pools", "default", "buckets", bucket, *rest] if bucket in self.buckets:
                if not rest:
                    return 200, b"{}"
                scopes = [
                    {"name": name, "collections": [{"name": c} for c in collections]}
                    for name, collections in self.buckets[bucket].items()
                ]
                return 200, json.dumps({"scopes": scopes}).encode()
        return 404, b'"Requested resource not found."'

    def write(self, method, path, form, signed):
        self.writes.append(f"{method} /{'/'.join(path)}")
        if self.admin is None:
            return self.write_unlocked(path, form)
        if signed != self.admin:
            return 401, b""
        match path:
            case ["node", "controller", "setupServices"]:
                return 400, b'["cannot change node services after cluster is provisioned"]'
            case ["settings", "indexes"]:
                self.storage = form["storageMode"]
            case ["pools", "default", "buckets"]:
                return self.write_bucket(form)
            case ["pools", "default", "buckets", bucket, "scopes", *rest]:
                return self.write_collection(self.buckets[bucket], rest, form["name"])
            case ["settings", "rbac", "users", "local", name]:
                self.users[name] = form
            case ["query", "service"]:
                return self.query(form["statement"])
            case _:
                return 404, b""
        return 200, b"{}"

    def query(self, statement):
        if self.busy or not self.storage:
            self.busy -= 1
            errors = [{"code": 12003, "msg": "Keyspace not found"}]
            return 404, json.dumps({"errors": errors}).encode()
        self.statements.append(statement)
        return 200, b"{}"

    def write_unlocked(self, path, form):
        match path:
            case ["node", "controller", "setupServices"]:
                self.services = form["services"].split(",")
            case ["pools", "default"]:
                self.memory = form
            case ["settings", "web"]:
                self.admin = form["username"], form["password"]
            case _:
                return 401, b""
        return 200, b"{}"

    def write_bucket(self, form):
        if int(form["ramQuotaMB"]) < 100:
            return 400, b'{"errors":{"ramQuotaMB":"RAM quota cannot be\\nless"}}'
        if form["name"] in self.buckets:
            return 400, b'{"errors":{"name":"Bucket with given name already exists"}}'
        self.buckets[form["name"]] = {"_default": ["_default"]}
        self.replicas = form.get("replicaNumber")
        return 200, b"{}"

    def write_collection(self, scopes, rest, name):
        found = scopes if not rest else scopes[rest[0]]
        if name in found:
            return 400, b'{"errors":{"name":"already exists"}}'
        if rest:
            found.append(name)
        else:
            found[name] = []
        return 200, b"{}"


@contextmanager
def serving(node, certificate=None, address=("127.0.0.1", 0)):
    """A server of the node's REST API; its port."""
    httpd = http.server.ThreadingHTTPServer(address, _Api)
    httpd.node = node
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    yield httpd.server_port
    httpd.shutdown()
    httpd.server_close()
