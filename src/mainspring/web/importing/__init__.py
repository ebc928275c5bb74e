"""Imports of history: uploads, what is done with them in a process of its own, and what became of them."""
