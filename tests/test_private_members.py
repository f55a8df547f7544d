"""Private members of libraries that the package uses: each is here, and each is still there.

They may go in any release, hence the upper bounds in setup.cfg. Objects of libraries have no
types that this could ask for, so that a use on another object is known by its name alone."""

import ast
import dis
import functools
import importlib
import inspect
import re
import sys
from collections import defaultdict
from pathlib import Path
from pkgutil import resolve_name

import pytest

import orderapp

ROOT = Path(orderapp.__file__).parents[1]

#: Class or module -> its members, its own or inherited.
USED = {
    "aiohttp.web.AppRunner": "_make_server",
    "aiohttp.web.RequestHandler": "_loop _parser _waiter",
    "aiohttp.web.Server": "_connections _loop",
    "aiokafka.AIOKafkaConsumer": "_auto_offset_reset _client _coordinator _fetch_max_wait_ms"
    " _fetcher _isolation_level",
    "aiokafka.AIOKafkaProducer": "_sender",
    "aiokafka.admin.AIOKafkaAdminClient": "_client",
    "aiokafka.client.AIOKafkaClient": "_wait_on_metadata",
    "aiokafka.consumer.fetcher.Fetcher": "_fetch_max_wait_ms _fetch_min_bytes _fetch_task"
    " _isolation_level",
    "aiokafka.consumer.fetcher.PartitionRecords": "_aborted_producers _consumer_record"
    " _key_deserializer _records _records_iterator _tp _unpack_records _value_deserializer",
    "aiokafka.consumer.group_coordinator.GroupCoordinator": "_closing _coordination_task"
    " _do_commit_offsets _do_heartbeat _group_instance_id _push_error_to_user"
    " _session_timeout_ms",
    "aiokafka.record.default_records": "_DefaultRecordBatchPy",
    "aiokafka.record.default_records._DefaultRecordBatchPy": "_buffer _maybe_uncompress",
    "faust.Record": "_options",
    "faust.app.base.App": "_consumer _on_agent_error _on_rebalance_when_stopped _producer"
    " _producer_flush",
    "faust.app.base.BootStrategy": "_chain",
    "faust.cli.worker.worker": "_banner_data",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread": "_commit _consumer"
    " _create_consumer _ensure_consumer _fetch_records _gather_remaining_tasks",
    "faust.transport.drivers.aiokafka.Consumer": "_acked _acked_index _commit _commit_fut"
    " _commit_offsets _committed_offset _drain_messages _filter_tps_with_pending_acks _getmany"
    " _new_consumer_thread _new_offset _read_offset _thread _to_message _wait_next_records",
    "faust.transport.drivers.aiokafka.Producer": "_ensure_producer _new_producer _producer",
    "faust.web.drivers.aiohttp.Web": "_runner",
    "faust.worker.Worker": "_gather_all _schedule_shutdown _sentinel_task"
    " _shutdown_immediately _signal_stop_time _starting_fut",
    "prometheus_client.Counter": "_value",
}
LISTED = {(owner, name) for owner, names in USED.items() for name in names.split()}

#: Documented in spite of their names, and one that is asked for with a default.
NOT_MEANT = {"_asdict", "_current_frames", "_exit", "_fields", "_make", "_replace"}
NOT_MEANT |= {"_initializing"}


def is_private(name):
    return re.match("_[a-zA-Z]", str(name)) is not None and name not in NOT_MEANT


def is_foreign(cls):
    return cls.__module__.split(".")[0] not in {"orderapp", *sys.stdlib_module_names}


# -- What the package uses --------------------------------------------------------------------


def is_self(node):
    """Whether it is `self`, `cls` or `super()`."""
    node = node.func if isinstance(node, ast.Call) else node
    return isinstance(node, ast.Name) and node.id in {"self", "cls", "super"}


def on_others(tree):
    """Private names that a module imports, or asks of other objects than `self`."""
    found, own = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value, name) if not is_self(value):
                found.add(name)
            case ast.Call(ast.Name("getattr" | "setattr"), [_, ast.Constant(name), *_]):
                found.add(name)
            case ast.Import(names) | ast.ImportFrom(names=names):
                paths = [getattr(node, "module", None) or "", *(each.name for each in names)]
                found.update(*(path.split(".") for path in paths))
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                own.add(name)
    return set(filter(is_private, found - own))


def on_self(tree):
    """Private names that a class defines, or asks of itself."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value, name) if is_self(value):
                found.add(name)
            case (
                ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.Name(name, ast.Store())
            ):
                found.add(name)
    return set(filter(is_private, found))


def inherited(classes):
    """(key of the list, place) of what our classes use of those of libraries.

    `classes` are ours with their trees and places."""
    for cls, (tree, place) in classes.items():
        # Those of other classes, too, that it is mixed with.
        bases = {b for c in classes if cls in c.__mro__ for b in c.__mro__ if is_foreign(b)}
        for name in on_self(tree):
            keys = [key for key in LISTED if key[1] == name and found(key[0]) in bases]
            theirs = [f"{b.__module__}.{b.__qualname__}" for b in bases if has(b, name)]
            for key in keys or [(owner, name) for owner in theirs[:1]]:
                yield key, place


@pytest.fixture(scope="module")
def used():
    """Keys of the list, and such as should be in it -> where they are used."""
    places, classes = defaultdict(set), {}
    for path in sorted(ROOT.glob("orderapp/**/*.py")):
        tree, place = ast.parse(path.read_text("utf-8")), str(path.relative_to(ROOT))
        for name in on_others(tree):
            for key in [key for key in LISTED if key[1] == name] or [("?", name)]:
                places[key].add(place)
        declared = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        if declared:
            name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            module = importlib.import_module(name)
            classes |= {getattr(module, node.name): (node, place) for node in declared}
    for key, place in inherited(classes):
        places[key].add(place)
    return dict(places)


# -- What the libraries have ------------------------------------------------------------------


def found(owner):
    """The class or module, None when it is gone."""
    try:
        return resolve_name(owner)
    except (ImportError, AttributeError):
        return None


def has(owner, name):
    """Whether a class or module has it, or a class sets it in its instances."""
    classes = inspect.getmro(owner) if inspect.isclass(owner) else ()
    return hasattr(owner, name) or any(name in set_by(cls) for cls in classes)


@functools.cache
def set_by(cls):
    """The names of all attributes that the methods of a class assign."""
    methods = filter(inspect.isfunction, map(inspect.unwrap, vars(cls).values()))
    return {
        i.argval for m in methods for i in dis.get_instructions(m) if i.opname == "STORE_ATTR"
    }


def test_all_private_members_in_use_are_in_the_installed_versions(used):
    gone = [
        f"{owner}.{name} is gone; used in {', '.join(sorted(used.get((owner, name), ())))}: "
        "look at CONTRIBUTING, 'Bounds'"
        for owner, name in sorted(LISTED)
        if not has(found(owner), name)
    ]
    assert not gone, "\n".join(gone)


def test_every_private_member_in_use_is_in_the_list(used):
    new = [
        f"{'.'.join(key)}, in {', '.join(sorted(used[key]))}" for key in used.keys() - LISTED
    ]
    assert not new, "use something public, or add it to USED:\n" + "\n".join(sorted(new))


def test_nothing_is_in_the_list_that_is_not_used(used):
    assert LISTED - used.keys() == set()


def test_uses_of_all_kinds_are_found():
    tree = ast.parse("""
from aiokafka import _a
import aiokafka._b.c
async def work(consumer):
    consumer._c.d = getattr(consumer, "_e", consumer._replace())
    work._own()
class Consumer:
    _f = 1
    def _own(self):
        super(Consumer, self)._g(self._h)
""")
    assert on_others(tree) == {"_a", "_b", "_c", "_e"}
    assert on_self(tree) == {"_f", "_g", "_h", "_own"}
