"""Benchmarks: commands of their own, never timed tests.

    python -m tests.benchmarks throughput    every contender, the same work, SQLite and no store
    python -m tests.benchmarks latency       orders at a fixed rate, until stored and until paid
    python -m tests.benchmarks scale         two orderapp workers against one

Every measurement has a fresh embedded broker, a fresh store and fresh processes, all in a
temporary directory and on loopback, and all ended before the next one.
"""
