"""What is changed live is changed by its version, so that two people do not overwrite each
other."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from orderapp.app import app
from orderapp.change_log import WrongVersion
from orderapp.control import NotAllowed
from orderapp.engine.errors import FatalError, TransientError
from orderapp.web.api.routes import Parameter
from orderapp.web.server.problems import FieldError, Problem, bad_parameter, unavailable

#: Seconds that Kafka has for a change.
KAFKA_PATIENCE = 5.0

_TAG = r'^("[1-9][0-9]{0,15}"|\*)$'
IF_MATCH = Parameter(
    "If-Match",
    {"type": "string", "pattern": _TAG},
    "needed: the version that is to be changed, as `ETag` has it, or `*` for any",
    "header",
    example='"1"',
)


def read_version(request: web.Request) -> int | None:
    """The version that is to be changed, None for any; raises `Problem`."""
    tags = request.headers.getall("If-Match", [])
    if not tags:
        text = "this needs the header If-Match with the version that is to be changed"
        raise Problem(428, f"{text}, as ETag has it", FieldError("If-Match", '"1"'))
    if len(tags) > 1 or not re.fullmatch(_TAG, tags[0]):
        text = ", ".join(tags).encode(errors="replace").decode()
        raise bad_parameter("If-Match", text, 'one version in quotation marks, "1", or *')
    return None if tags[0] == "*" else int(tags[0].strip('"'))


def check_kafka() -> None:
    """Raise `Problem` while nothing can be changed."""
    if not app.ready:
        raise unavailable("Kafka is not reachable: nothing was changed")


@contextmanager
def refusals(field: str, what: str) -> Iterator[None]:
    """Around a change of the body's `field`: what was refused becomes a `Problem`."""
    try:
        yield
    except WrongVersion as error:
        raise Problem(412, str(error), FieldError("If-Match", "the version in force")) from None
    except NotAllowed as error:
        raise Problem(403, str(error)) from None
    except ValueError as error:
        raise Problem(422, str(error), FieldError(field, str(error))) from None
    except (FatalError, TransientError, TimeoutError) as error:
        raise unavailable(
            "Kafka did not confirm the change in time; it may have been written: look at the "
            f"{what} before you try again"
        ) from error
