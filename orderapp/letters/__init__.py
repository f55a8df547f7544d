"""Dead letters as the command `dlq` and the API choose, read and resolve them."""
