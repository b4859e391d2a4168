"""Draws discrete Laplace noise exactly: integers alone, from the operating system's randomness.

Algorithms 1 and 2 of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020). A sampler
with floating-point numbers leaks the value that it hides by the gaps between those (Mironov 2012).
"""

import secrets
from collections.abc import Callable
from fractions import Fraction

Draw = Callable[[Fraction], int]  # A scale, to an integer.


def discrete_laplace(scale: Fraction) -> int:
    """Return x with a probability in proportion to exp(-|x| / scale)."""
    t, s = scale.numerator, scale.denominator
    while True:
        u = secrets.randbelow(t)
        if not _is_exponential(u, t):
            continue
        v = 0
        while _is_exponential(1, 1):
            v += 1
        magnitude = (u + t * v) // s
        is_negative = bool(secrets.randbits(1))
        if magnitude or not is_negative:  # 0 has one sign, or it would come twice as often.
            return -magnitude if is_negative else magnitude


def _is_exponential(numerator: int, denominator: int) -> bool:
    """Return true with the probability exp(-numerator / denominator), for a fraction from 0 to 1."""
    count = 1
    while secrets.randbelow(denominator * count) < numerator:
        count += 1
    return count % 2 == 1
