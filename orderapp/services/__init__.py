"""What the program does, a file for each service: the rule first, its agent under it."""
