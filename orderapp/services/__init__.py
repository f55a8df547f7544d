"""What the program does, a file for each service: the rule first, its agent under it.

A file here is a service, and so is a module that another package declares as an entry point of
the group `orderapp.services`. All are imported, since what they declare is known to the whole;
only those that are chosen run.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules

from orderapp.engine.observe.texts import text_or_class

GROUP = "orderapp.services"
#: In the order in which an order meets them; others follow by name.
SHIPPED = ("producer", "fraud", "payment", "analytics")
#: What ORDERAPP_SERVICES takes besides, and where it is from.
_TAKEN = {"web": "orderapp.web", "all": "ORDERAPP_SERVICES=all, which is every service"}


class ServicesError(Exception):
    """A service can't be had; the text is one line that names the place."""


def known() -> Mapping[str, str]:
    """The module of each service by its name."""
    modules: dict[str, str] = {}
    places = dict(_TAKEN)
    for name, module, place in [*_files(), *map(_declared, _entry_points())]:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ServicesError(
                f"{name!r} is not allowed as the name of a service ({place}): "
                "small letters, digits and -, a letter first"
            )
        if name in places:
            raise ServicesError(
                f"there are two services {name}: {places[name]}, and {place}; rename one"
            )
        modules[name], places[name] = module, place
    others = sorted(modules.keys() - set(SHIPPED))
    return {name: modules[name] for name in [*SHIPPED, *others] if name in modules}


def load(module: str) -> None:
    """Import a module; raise `ServicesError` where another package's service can't be."""
    try:
        import_module(module)
    except Exception as error:
        for entry in _entry_points():
            if entry.module == module:
                what = f"{type(error).__name__}: {text_or_class(error)}"
                raise ServicesError(f"{_place(entry)} can't be imported: {what}") from error
        raise


def _files() -> Iterator[tuple[str, str, str]]:
    for module in iter_modules(__path__):
        if not module.name.startswith("_"):
            full = f"{__name__}.{module.name}"
            yield module.name.replace("_", "-"), full, full


def _entry_points() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _declared(entry: EntryPoint) -> tuple[str, str, str]:
    if not re.fullmatch(r"\w+(\.\w+)*", entry.value):
        raise ServicesError(f"{_place(entry)} is not allowed: give it a module, package.module")
    return entry.name, entry.value, _place(entry)


def _place(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "an unknown distribution"
    return f"the entry point {entry.name} = {entry.value} of {distribution}"
