"""Texts that others wrote, made fit for a line of a log, a header or a terminal."""

# An error's text may quote the record; a header has to stay small.
_MAX_ERROR_TEXT = 500


def printable(text: str) -> str:
    """`text` as one line, with all that could move a terminal's cursor or turn its text around
    written out: control characters, line separators, directions, half characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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


def complaint(error: object) -> str:
    """What a program says when it ends, or can't do something: one line for stderr."""
    return f"orderapp: {printable(str(error))}"
