"""orderapp: the reference order pipeline for Python.

Producer → Kafka → fraud, payment, analytics → Couchbase (or SQLite) → API → dashboard.
Start it with `faust -A orderapp worker`; read `models`, `topics` and `services` first.
"""

import gc
import sys

# What is imported stays. Looking for garbage among it, now and at the end of the process, would
# be a third of what a command costs.
gc.disable()

from orderapp.app import MODULES, SERVICES, app
from orderapp.app import settings as _settings
from orderapp.engine.observe.texts import complaint
from orderapp.engine.services import DeclarationError
from orderapp.plugins import PluginError
from orderapp.rules import load_all
from orderapp.services import load

# Importing a module registers its rules, agents and views. Services that this worker does not
# run are imported too: what they declare is known, and nothing of it is started.
try:
    load_all()
    for _name, _module in SERVICES.items():
        if _name != "web" or _name in _settings.services:
            with app.services.declaring(_name):
                load(_module)
    for _module in MODULES:
        load(_module)
except (DeclarationError, PluginError) as _error:
    sys.exit(complaint(_error))
finally:
    gc.freeze()
    gc.enable()

__all__ = ["app"]
