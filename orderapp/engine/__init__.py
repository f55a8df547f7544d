"""How the pipeline runs: batches, commits, dead letters and the broker. Knows no orders."""
