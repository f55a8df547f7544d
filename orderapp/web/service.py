"""The service `web`: importing this registers the API and the dashboard."""

from orderapp.web.api import asyncapi, docs, events, openapi, orders, send_order, stats
from orderapp.web.page import files

__all__ = ["asyncapi", "docs", "events", "files", "openapi", "orders", "send_order", "stats"]
