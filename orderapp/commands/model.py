"""`faust -A orderapp model`: Faust's own, which says in one line that there is none."""

from faust.cli.model import model as faust_model

from orderapp.commands.one_line import OneLineCommand


class model(OneLineCommand, faust_model):  # noqa: N801 - the name of the command
    """Show model detail."""
