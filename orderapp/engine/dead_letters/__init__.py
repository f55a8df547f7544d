"""Dead letters: what their headers say, reading them, and what was done with them."""
