"""Shift log: what happened in a shift, handed over to the next and signed by it."""
