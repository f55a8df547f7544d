"""`python -m orderapp` is the program `orderapp`, which does what `faust -A orderapp` does."""

from orderapp import app

app.main()
