"""What people see: the API, the dashboard, and the server that answers for both."""
