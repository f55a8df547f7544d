"""`faust -A orderapp agents`, `models` and `model`: Faust's own, whose tables fit a terminal,
and whose errors are one line."""

from faust.cli.agents import agents as faust_agents
from faust.cli.model import model as faust_model
from faust.cli.models import models as faust_models

from orderapp.commands.fit import FittingTable
from orderapp.commands.one_line import OneLineCommand


class agents(FittingTable, faust_agents):  # noqa: N801 - the name of the command
    """List agents."""


class models(FittingTable, faust_models):  # noqa: N801 - the name of the command
    """List all available models as a tabulated list."""


class model(OneLineCommand, faust_model):  # noqa: N801 - the name of the command
    """Show model detail."""
