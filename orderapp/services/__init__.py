"""What the program does, a file for each service.

A file here is a service, and so is a module that another package declares as an entry point of
the group `orderapp.services`. All are imported, since what they declare is known to the whole;
only those that are chosen run.
"""

from collections.abc import Mapping

from orderapp.plugins import PluginError, Plugins

#: In the order in which an order meets them; others follow by name.
SHIPPED = ("producer", "fraud", "payment", "analytics")
#: What ORDERAPP_SERVICES takes besides, and where it is from.
_TAKEN = {"web": "orderapp.web", "all": "ORDERAPP_SERVICES=all, which is every service"}

_plugins = Plugins("service", __name__)
load = _plugins.load


def known() -> Mapping[str, str]:
    """The module of each service by its name."""
    modules: dict[str, str] = {}
    places = dict(_TAKEN)
    for name, module, place in _plugins.find(__path__):
        if name in places:
            raise PluginError(
                f"there are two services {name}: {places[name]}, and {place}; rename one"
            )
        modules[name], places[name] = module, place
    others = sorted(modules.keys() - set(SHIPPED))
    return {name: modules[name] for name in [*SHIPPED, *others] if name in modules}
