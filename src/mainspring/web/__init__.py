"""ASGI, API, live feed and the built page."""
