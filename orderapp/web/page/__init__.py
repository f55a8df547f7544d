"""The dashboard: its files, and what serves them."""
