"""Supplier rating: on time and in order, with the evidence behind each number."""
