"""Texts that others wrote, made fit for a line of a log, a header or a terminal."""

import json

# An error's text may quote the record; a header has to stay small.
_MAX_ERROR_TEXT = 500


def printable(text: str) -> str:
    """`text` with what could move a terminal's cursor written out; as one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def one_line(error: BaseException) -> str:
    """An error's text, in one line that is not too long; never raises."""
    try:
        text = str(error)
    except Exception as failure:  # an error's own `__str__` may be wrong as well
        text = f"(its text can't be made: {type(failure).__name__})"
    # A text may be a whole file: what is not shown is not looked at.
    text = printable(" ".join(text[: 4 * _MAX_ERROR_TEXT].split()))
    return text if len(text) <= _MAX_ERROR_TEXT else text[: _MAX_ERROR_TEXT - 1] + "…"


def text_or_class(error: BaseException) -> str:
    """The same; an error without a text is called by its class."""
    return one_line(error) or type(error).__name__
