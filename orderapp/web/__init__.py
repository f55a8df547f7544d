"""What people see: health, the API, the dashboard."""
