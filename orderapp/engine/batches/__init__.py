"""Batches: one turn of an agent for all that has arrived of one partition."""
