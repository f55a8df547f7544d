"""Makes docs/author.md of signatures and docstrings: `python -m tests.author_reference`."""

import inspect
from typing import Any

from orderapp import engine, rules, testing
from tests.deploy.known import ROOT

PAGE = ROOT / "docs/author.md"
HEAD = """# Author's interface

What services, rules and their tests are made of. This page is made from the code, by
`python -m tests.author_reference`; [Write a service](services.md) has an example of each."""

#: What an author calls of the app and of a topic; all else of them is Faust's own.
METHODS = {
    "app": (engine.BatchApp, ["each", "batches", "agent", "timer", "declare", "batched_topic"]),
    "topic": (engine.Topic, ["send_all", "send_one"]),
    "codec": (engine.Codec, ["explain"]),
}
#: What an author makes no instance of, or one of a class with fields of its own.
NO_SIGNATURE = (engine.Topic, engine.Codec, engine.Record, rules.Window)

#: Faust's own docstring is another one with each version.
RECORD = """A `faust.Record`: what travels on a topic. In batches it is a Struct with the same
fields, so that only those are to be relied on."""


def described(name: str, thing: Any) -> str:
    """Its parameters and their defaults, without types, and what its docstring says."""
    heading, text = f"### `{name}`", inspect.cleandoc(thing.__doc__ or "")
    if thing is engine.Record:
        text = RECORD
    if thing in NO_SIGNATURE or (isinstance(thing, type) and issubclass(thing, Exception)):
        return f"{heading}\n\n{text}"
    found = inspect.signature(thing)
    plain = [each.replace(annotation=each.empty) for each in found.parameters.values()]
    shown = found.replace(
        parameters=[each for each in plain if each.name != "self"],
        return_annotation=found.empty,
    )
    return f"{heading}\n\n```python\n{name}{shown}\n```\n\n{text}"


def page() -> str:
    parts = [HEAD]
    for name, (owner, methods) in METHODS.items():
        parts.append(f"## Of {'an' if name == 'app' else 'a'} {name}")
        parts += [described(f"{name}.{each}", getattr(owner, each)) for each in methods]
    places = {engine: engine.__all__, rules: ["rule", "Window"], testing: testing.__all__}
    for module, names in places.items():
        parts.append(f"## From `{module.__name__}`")
        parts += [described(each, getattr(module, each)) for each in names]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
