"""Commands of `faust -A orderapp`, a file for each."""
