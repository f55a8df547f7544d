"""Benchmarks: commands of their own, never timed tests.

    python -m tests.benchmarks throughput    every contender, the same work, SQLite and no store
    python -m tests.benchmarks latency       orders at a fixed rate, until stored and until paid
    python -m tests.benchmarks outage        memory while the store is away for 10 minutes
    python -m tests.benchmarks memory        memory over a day's worth of orders
    python -m tests.benchmarks growth        an order beside up to 10,000,000 stored ones
    python -m tests.benchmarks api           the API beside 1,000,000 orders; open event streams
    python -m tests.benchmarks health        answers of a worker that has all the work it can do
    python -m tests.benchmarks page          from POST until an order is seen on the dashboard
    python -m tests.benchmarks console       the page at 200 orders/s: tasks, memory, clicks

Every measurement has a fresh embedded broker, a fresh store and fresh processes, all in a
temporary directory and on loopback, and all ended before the next one.
"""
