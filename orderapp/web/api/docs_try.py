"""The forms of the page `/docs` in which a request is tried; `docs.js` sends it."""

import json
from html import escape
from typing import Any

from orderapp.web.api.docs_text import code

#: What every form shows of its answer, once.
ANSWER = """<template id="answer">
      <p class="said" role="status"></p>
      <div hidden>
        <h4>Headers</h4>
        <pre tabindex="0" role="group" aria-label="Headers of the answer"></pre>
        <h4>Body</h4>
        <pre tabindex="0" role="group" aria-label="Body of the answer"></pre>
      </div>
    </template>"""


def form(method: str, path: str, operation: dict[str, Any]) -> str:
    """A field for each parameter, for the body and the token. Hidden: without scripts it could
    send nothing."""
    fields = [_field(parameter) for parameter in operation["parameters"]]
    if body := operation.get("requestBody"):
        example = json.dumps(body["content"]["application/json"]["example"], indent=2)
        fields.append(
            f'<label class="body">body <textarea name="body" rows="{len(example.splitlines())}"'
            f' spellcheck="false" autocomplete="off">{escape(example)}</textarea></label>'
        )
    if {"token": []} in operation["security"]:
        fields.append(
            "<label>API token, if the worker asks for one"
            ' <input type="password" name="token" autocomplete="off"></label>'
        )
    name = f"{method} {path}"
    return (
        f'<form class="try" aria-label="Try {escape(name)}" data-method="{method}"'
        f' data-path="{escape(path)}" hidden>'
        f'<h3>Try it</h3><div class="fields">{"".join(fields)}</div><p class="buttons">'
        '<button type="submit" class="primary">Send</button>'
        ' <button type="button" data-stop hidden>Stop</button>'
        ' <button type="button" data-copy>Copy curl</button></p></form>'
    )


def _field(parameter: dict[str, Any]) -> str:
    schema, name = parameter["schema"], escape(parameter["name"])
    attributes = f'data-in="{parameter["in"]}" name="{name}" autocomplete="off"'
    if parameter["required"]:
        attributes += " required"
    example = parameter.get("example", "")
    example = escape(str(example[0] if isinstance(example, list) else example))
    # Filters are only suggested: all examples at once would find nothing.
    shown = "placeholder" if parameter["in"] == "query" else "value"
    if "enum" in schema:
        options = "".join(f"<option>{escape(str(one))}</option>" for one in schema["enum"])
        control = f'<select {attributes}><option value=""></option>{options}</select>'
    else:
        control = f'<input {attributes} {shown}="{example}">'
    return f"<label>{code(parameter['name'])} {control}</label>"
