"""Passwords in tests: kept as in a town, but hashed as lightly as can be; a twentieth of all the time went into that."""

from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from participation import identity

AS_IN_A_TOWN = identity._hasher
"""What hashes passwords in a town; has a test of its own."""


@cache
def _light() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


def hash_lightly() -> None:
    """For this process, from now on."""
    identity._hasher = _light
