"""How the pipeline runs: batches, commits, dead letters and the broker. It does not know
what they are about."""
