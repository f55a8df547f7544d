"""Text, types and links of the page `/docs`, as HTML."""

import re
from html import escape
from typing import Any

_CODE = re.compile(r"`([^`]+)`")

#: What of a schema says which values are allowed, in this order.
_RULES = {
    "enum": "",
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters: at least",
    "maxLength": "characters: at most",
    "pattern": "pattern",
    "default": "default",
}


def text(source: str) -> str:
    """A text, in which backquotes stand around code."""
    return _CODE.sub(r"<code>\1</code>", escape(source))


def code(source: str) -> str:
    """Code."""
    return f"<code>{escape(source)}</code>"


def link(target: str, shown: str) -> str:
    """A link to a part of the page; `shown` is HTML."""
    return f'<a href="#{escape(target)}">{shown}</a>'


def kind(schema: dict[str, Any]) -> str:
    """The type of a value; what has a name is a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return link(name, code(name))
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    if schema["type"] == "array":
        return f"list of {kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind(schema['additionalProperties'])}"
    return escape(schema.get("format", schema["type"]))


def allowed(schema: dict[str, Any]) -> str:
    """Which values a schema allows."""
    rules = []
    for name, words in _RULES.items():
        if name in schema:
            value = schema[name]
            values = value if isinstance(value, list) else [value]
            rules.append(f"{words} {', '.join(code(str(v)) for v in values)}".strip())
    return "; ".join(rules)
