"""Imports of history: files and messages made into samples, and taken into the store once."""
