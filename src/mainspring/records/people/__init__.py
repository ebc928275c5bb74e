"""Accounts: who signs in, how, for how long, and who lets them."""
