"""`faust -A orderapp doctor`: whether all is there that a worker with these settings needs."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import click
from aiokafka import AIOKafkaProducer
from faust.cli import AppCommand, option
from yarl import URL

from orderapp.app import app, cluster, embedded, settings
from orderapp.commands.acls import rights
from orderapp.commands.fit import hanging
from orderapp.commands.running import run
from orderapp.engine.embedded import jars, server, start
from orderapp.engine.embedded.errors import EmbeddedBrokerError
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.health.write_rights import may_write
from orderapp.engine.kafka.cluster import Cluster, connect, let_go
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.observe.texts import printable, text_or_class
from orderapp.engine.worker import check_port
from orderapp.program import called
from orderapp.store import StoreError
from orderapp.store.adapters import FILES, store_for

#: `note`: it works, and is worth knowing.
State = Literal["ok", "note", "failed"]

#: Free space below which a worker can't go on for long, in bytes.
LITTLE = 1_000_000_000
#: Seconds for one look.
PATIENCE = 20.0


class Finding(NamedTuple):
    """What was found of one thing."""

    state: State
    what: str
    text: str


#: Yields what is found of some things; what it raises is a finding too.
Check = Callable[[], AsyncIterator[Finding]]


async def _program() -> AsyncIterator[Finding]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "aiokafka"))
    place = Path(__file__).parents[1]
    text = f"Python {platform.python_version()}, {libraries}; orderapp in {place}"
    yield Finding("ok", "program", text)


async def _data() -> AsyncIterator[Finding]:
    path = settings.data_dir.absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        text = f"{path}: {there} can't be written to; ORDERAPP_DATA_DIR names another directory"
        yield Finding("failed", "data", text)
        return
    free = shutil.disk_usage(there).free
    state: State = "ok" if free >= LITTLE else "note"
    made = "" if there == path else ", which a worker makes"
    yield Finding(state, "data", f"{path}{made}; {free / 1e9:.1f} GB are free")


async def _web() -> AsyncIterator[Finding]:
    host, port = settings.web.host, app.conf.web_port
    try:
        check_port(host, port)
    except FatalError as error:
        yield Finding("note", "web", f"{error}; unless it is the worker that runs already")
    else:
        yield Finding("ok", "web", f"{host} port {port} is free")


async def _java() -> AsyncIterator[Finding]:
    java = server.java()
    told = await asyncio.to_thread(_version_of, java)
    if told.returncode:
        yield Finding("failed", "java", f"{java} does not run: {told.stderr.strip()}")
    else:
        yield Finding("ok", "java", told.stderr.partition("\n")[0])
    pinned, repository = jars.read_lock(), jars.maven_repository()
    missing = jars.to_fetch(pinned, repository)
    if missing:
        size = sum(jar.size for jar in missing) / 1e6
        text = f"{len(missing)} of {len(pinned)} are fetched by the first worker, {size:.1f} MB"
        yield Finding("note", "jars", f"{text}, into {repository}")
    else:
        yield Finding("ok", "jars", f"all {len(pinned)} are in {repository}")


def _version_of(java: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the Java that would run Kafka
        [java, "-version"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


async def _kafka() -> AsyncIterator[Finding]:
    there = cluster
    if embedded:
        port = start.recorded_port(settings.data_dir.absolute() / "kafka")
        there = Cluster((f"127.0.0.1:{port}",))
        try:
            await there.log_in()
        except (TransientError, ValueError):
            text = "the embedded one does not run; a worker starts it"
            yield Finding("ok", "kafka", text)
            return
    else:
        await there.log_in()
    yield Finding("ok", "kafka", f"{there} answers")
    async for finding in _topics(there):
        yield finding
    async for finding in _rights(there):
        yield finding


async def _topics(there: Cluster) -> AsyncIterator[Finding]:
    missing = []
    async with TopicReader(there) as reader:
        for spec in app.topic_specs:
            if not reader.has(spec.name):
                missing.append(spec.name)
            elif (found := len(await reader.ends(spec.name))) < spec.partitions:
                text = f"{spec.name} has {found} partitions instead of {spec.partitions}"
                yield Finding("note", "topics", text)
    if missing:
        yield Finding("note", "topics", f"a worker creates {', '.join(missing)}")
    else:
        yield Finding("ok", "topics", f"all {len(app.topic_specs)} are there")


async def _rights(there: Cluster) -> AsyncIterator[Finding]:
    wanted = {
        right.name
        for right in rights()
        if right.operation == "write" and right.service in settings.services
    }
    producer = AIOKafkaProducer(**there.client_options())
    try:
        await connect(producer)
        for topic in sorted(wanted):
            if await may_write(producer, topic) is False:
                text = f"{topic} may not be written to; `{called('acls')}` has all rights"
                yield Finding("failed", "rights", text)
    finally:
        await let_go(producer.stop())


async def _store() -> AsyncIterator[Finding]:
    if not settings.services & {"analytics", "web"}:
        return
    file = settings.data_dir.absolute() / FILES[0]
    if settings.couchbase is None and not file.exists():
        yield Finding("ok", "store", f"a worker makes {file}")
        return
    store = store_for(settings, read_only=True)
    try:
        await store.open()
        await store.ping()
    finally:
        await store.close()
    where = settings.couchbase.host if settings.couchbase else file
    yield Finding("ok", "store", f"{where} answers")


async def _gateway() -> AsyncIterator[Finding]:
    if settings.payment_api is None or "payment" not in settings.services:
        return
    url = URL(settings.payment_api.url)
    try:
        _, writer = await asyncio.open_connection(url.host, url.port)
    except OSError as error:
        yield Finding("failed", "gateway", f"{url} can't be reached: {text_or_class(error)}")
        return
    writer.close()
    yield Finding("ok", "gateway", f"{url} can be reached; nothing was asked of it")


def _checks() -> dict[str, Check]:
    """By what they are about."""
    return {
        "program": _program,
        "data": _data,
        "web": _web,
        **({"java": _java} if embedded else {}),
        "kafka": _kafka,
        "store": _store,
        "gateway": _gateway,
    }


async def examine(what: str, check: Check) -> list[Finding]:
    """What a check finds; never raises."""
    found = []
    try:
        async with asyncio.timeout(PATIENCE):
            async for finding in check():
                found.append(finding)
    except TimeoutError:
        found.append(Finding("failed", what, f"no answer within {PATIENCE:g} s"))
    except (FatalError, TransientError, StoreError, EmbeddedBrokerError, OSError) as error:
        found.append(Finding("failed", what, text_or_class(error)))
    return found


class doctor(AppCommand):  # noqa: N801 - the name of the command
    """Look whether all is there that a worker with these settings needs.

    Nothing is started, made, fetched or sent. Exit status: 0, or 1 when something failed. With
    --json each line is an object with state (ok, note, failed), what and text."""

    options = [option("--json", "as_json", is_flag=True, help="JSON instead of text.")]  # noqa: RUF012 - declared by Faust

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        found = run(_examine_all())
        as_json = self.kwargs["as_json"] or self.json
        for finding in found:
            state, what, text = finding
            line = hanging(f"{state:<6}  {what:<8}  ", printable(text))
            click.echo(json.dumps(finding._asdict()) if as_json else line)
        sys.exit(1 if any(finding.state == "failed" for finding in found) else 0)


async def _examine_all() -> list[Finding]:
    found = [await examine(what, check) for what, check in _checks().items()]
    return [finding for some in found for finding in some]
