"""What is served, a file for each resource."""
