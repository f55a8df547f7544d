"""orderapp: the reference order pipeline for Python.

Producer → Kafka → fraud, payment, analytics → Couchbase (or SQLite) → API → dashboard.
Start it with `faust -A orderapp worker`; read `models`, `topics` and `services` first.
"""

import sys

from orderapp.app import MODULES, app
from orderapp.services import ServicesError, load

# Importing a module registers its agents and views. Faust's autodiscovery would take in every
# module of the package, also of services that this worker is not meant to run.
try:
    for _module in MODULES:
        load(_module)
except ServicesError as _error:
    sys.exit(f"orderapp: {_error}")

__all__ = ["app"]
