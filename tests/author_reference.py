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


def things() -> dict[str, dict[str, Any]]:
    """All that is described, by the title of its part and its name."""
    parts = {}
    for name, (owner, methods) in METHODS.items():
        title = f"Of {'an' if name == 'app' else 'a'} {name}"
        parts[title] = {f"{name}.{each}": getattr(owner, each) for each in methods}
    modules = {engine: engine.__all__, rules: ["rule", "Window"], testing: testing.__all__}
    for module, names in modules.items():
        parts[f"From `{module.__name__}`"] = {each: getattr(module, each) for each in names}
    return parts


def signatures() -> dict[str, inspect.Signature]:
    """Of each thing, without types; an empty one where that of Python means nothing."""
    return {
        name: signature(thing) or inspect.Signature()
        for part in things().values()
        for name, thing in part.items()
    }


def signature(thing: Any) -> inspect.Signature | None:
    """Its parameters and their defaults, without types; None for what nobody calls."""
    if thing in NO_SIGNATURE or (isinstance(thing, type) and issubclass(thing, Exception)):
        return None
    found = inspect.signature(thing)
    plain = [each.replace(annotation=each.empty) for each in found.parameters.values()]
    return found.replace(
        parameters=[each for each in plain if each.name != "self"],
        return_annotation=found.empty,
    )


def described(name: str, thing: Any) -> str:
    """How it is called, and what its docstring says."""
    heading, text = f"### `{name}`", inspect.cleandoc(thing.__doc__ or "")
    if thing is engine.Record:
        text = RECORD
    shown = signature(thing)
    call = f"```python\n{name}{shown}\n```\n\n" if shown else ""
    return f"{heading}\n\n{call}{text}"


def page() -> str:
    parts = [HEAD]
    for title, part in things().items():
        parts += [f"## {title}", *(described(name, thing) for name, thing in part.items())]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
