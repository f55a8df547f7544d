"""Whether work makes progress: lag, topics that go, rights that are missing."""
