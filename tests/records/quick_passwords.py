"""Passwords hashed in no time: as they are stored a hash takes 100 MB and a tenth of a second, and tests make many."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Quick(Argon2PasswordHasher):
    """The same function with the least it can be asked for."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
