"""The shared business model, in Django."""
