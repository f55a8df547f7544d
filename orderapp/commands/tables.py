"""`faust -A orderapp agents` and `models`: Faust's own, whose tables fit a terminal."""

from faust.cli.agents import agents as faust_agents
from faust.cli.models import models as faust_models

from orderapp.commands.fit import FittingTable


class agents(FittingTable, faust_agents):  # noqa: N801 - the name of the command
    """List agents."""


class models(FittingTable, faust_models):  # noqa: N801 - the name of the command
    """List all available models as a tabulated list."""
