"""`python -m orderapp worker` does what `faust -A orderapp worker` does."""

from orderapp import app

app.main()
