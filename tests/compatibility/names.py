"""What users name, a line for each, with what they rely on of it: none of them may go."""

import inspect
import re

from faust.cli.base import cli

from tests import author_reference
from tests.deploy import known
from tests.observability.names import documented


def settings():
    """`NAME=default`; what is unset, or said in words, has none."""
    found = []
    for line in known.read("docs/settings.md").splitlines():
        if line.startswith("| `"):
            names, default = (cell.strip() for cell in line.split("|")[1:3])
            value = default if re.fullmatch("`[^`]*`", default) else ""
            found += [f"{name}={value.strip('`')}" for name in re.findall("`([^`]+)`", names)]
    return found


def commands():
    """`command ARGUMENT …`, what of it has to be given, and `command --option`."""
    found = []
    for name, command in cli.commands.items():
        for part, each in getattr(command, "commands", {"": command}).items():
            call = f"{name} {part}".strip()
            required = [
                parameter.name.upper() for parameter in each.params if parameter.required
            ]
            found.append(" ".join([call, *required]))
            found += [f"{call} {option}" for one in each.params for option in one.opts]
    return found


def metrics():
    """`name{labels} type`."""
    return [
        f"{name}{{{', '.join(sorted(labels))}}} {kind}"
        for name, (kind, labels) in documented().items()
    ]


def interface():
    """`name(required, …)`, and `name(optional=default)`, of all in docs/author.md."""
    found = []
    for name, signature in author_reference.signatures().items():
        required = []
        for parameter in signature.parameters.values():
            if parameter.default is inspect.Parameter.empty:
                required.append(str(parameter.replace(annotation=inspect.Parameter.empty)))
            else:
                found.append(f"{name}({parameter.name}={parameter.default!r})")
        found.append(f"{name}({', '.join(required)})")
    return found


def breaks(old, new):
    """What was there, and is gone or another one."""
    return [f"{line} is removed or changed" for line in old if line not in set(new)]
