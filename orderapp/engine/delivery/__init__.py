"""What becomes of a record: tried, tried again, done or a dead letter."""
