"""Mechanism models: one pure file per model family, units on every input and output."""
