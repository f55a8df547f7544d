"""Clients that are generated from `/openapi.json`, as its readers would."""
