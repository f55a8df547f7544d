"""orderapp: the reference order pipeline for Python.

Producer → Kafka → fraud, payment, analytics → Couchbase (or SQLite) → API → dashboard.
Start it with `faust -A orderapp worker`; read `models`, `topics` and `services` first.
"""

from importlib import import_module

from orderapp.app import MODULES, app

# Importing a module registers its agents and views. Faust's autodiscovery would take in every
# module of the package, also of services that this worker is not meant to run.
for _module in MODULES:
    import_module(_module)

__all__ = ["app"]
