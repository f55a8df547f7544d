"""What holds for every request and connection; knows neither the routes nor the app."""
