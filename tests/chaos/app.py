"""orderapp as it is. Whichever worker has to start the broker tells it the same as the run."""

from orderapp import app
from tests.chaos import properties

__all__ = ["app"]

properties.extend()
