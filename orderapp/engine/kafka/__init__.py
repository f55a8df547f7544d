"""Kafka: the clients, what is read, committed and written, and what Kafka answers."""
