"""Runs drivers and turns what they read into batches that are kept until the historian confirms them."""
