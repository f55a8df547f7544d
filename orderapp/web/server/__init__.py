"""What holds for every request and connection."""
