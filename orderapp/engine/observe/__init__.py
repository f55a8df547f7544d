"""What is seen from outside: log lines, metrics, traces, and what is blocked."""
