"""Requests as commands for curl."""

import json
from shlex import quote
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import urlencode


def command(server: str, method: str, path: str, operation: dict[str, Any]) -> str:
    """The command for an operation of `/openapi.json`, with the examples that it has; of those
    in a query, which are filters, with the first one, since all at once would find nothing."""
    examples: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation["parameters"]:
        place = examples[parameter["in"]]
        if "example" in parameter and not (place and parameter["in"] == "query"):
            place[parameter["name"]] = parameter["example"]
    for name, value in examples["path"].items():
        path = path.replace(f"{{{name}}}", percent(str(value)))
    query = f"?{urlencode(examples['query'], doseq=True)}" if examples["query"] else ""
    headers = [quote(f"{name}: {value}") for name, value in examples["header"].items()]
    if {"token": []} in operation["security"]:
        headers.append('"Authorization: Bearer $ORDERAPP_API_TOKEN"')
    data: list[str] = []
    if "requestBody" in operation:
        ((content_type, content),) = operation["requestBody"]["content"].items()
        headers.append(quote(f"Content-Type: {content_type}"))
        data = [f"-d {quote(json.dumps(content['example']))}"]
    is_stream = any(
        "text/event-stream" in a["content"] for a in operation["responses"].values()
    )
    first = [
        "curl -sN" if is_stream else "curl -s",
        # With data it is a POST.
        *(() if method == ("POST" if data else "GET") else ("-X", method)),
        quote(f"{server}{path}{query}"),
    ]
    return " \\\n    ".join([" ".join(first), *(f"-H {header}" for header in headers), *data])
