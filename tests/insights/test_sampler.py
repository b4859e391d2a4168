"""The noise: the distribution of the sampler, against formulas and against a library that others keep."""

import ast
import math
from fractions import Fraction
from pathlib import Path

import pytest
from pydp.distributions import GeometricDistribution  # type: ignore[import-untyped]  # It has no types.

import ingest.insights
from ingest.insights.sampler import discrete_laplace
from ingest.insights.scheme import SCALE
from tests.support import privacy

_DRAWS = 6_000
_EXACT = ("mechanism", "parts", "sampler", "scheme")  # What touches a value before or while noise is added.


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(3, 2), Fraction(8)], ids=str)
def test_draws_are_those_of_the_librarys_geometric_noise(scale: Fraction) -> None:
    other = GeometricDistribution(lambda_=float(1 / scale))
    theirs = [other.sample() - other.sample() for _ in range(_DRAWS)]
    ours = [discrete_laplace(scale) for _ in range(_DRAWS)]
    assert privacy.distance(ours, theirs) <= privacy.distance_max(_DRAWS, _DRAWS)
    wide = [discrete_laplace(4 * scale) for _ in range(_DRAWS)]
    assert privacy.distance(wide, theirs) > privacy.distance_max(_DRAWS, _DRAWS)  # The test can fail.


def test_each_value_is_as_probable_as_the_formula_says() -> None:
    scale = Fraction(2)
    draws = [discrete_laplace(scale) for _ in range(_DRAWS)]
    ratio = math.exp(-1 / scale)
    for value in range(-8, 9):
        probability = (1 - ratio) / (1 + ratio) * ratio ** abs(value)
        count = draws.count(value)
        least, most = (bound(count, _DRAWS) for bound in (privacy.least_probability, privacy.most_probability))
        assert least <= probability <= most, value


def test_moments_are_those_of_a_release() -> None:
    """By Bernstein's and Chebyshev's inequalities with room: ten standard errors of 6,000 draws."""
    scale = Fraction(2_000_000)
    draws = [discrete_laplace(scale) for _ in range(_DRAWS)]
    error = float(scale) / math.sqrt(_DRAWS)
    assert abs(sum(draws) / _DRAWS) < 10 * math.sqrt(2) * error
    assert abs(sum(map(abs, draws)) / _DRAWS - float(scale)) < 10 * error


@pytest.mark.parametrize("module", _EXACT)
def test_no_floating_point_number_is_near_the_noise(module: str) -> None:
    tree = ast.parse((Path(ingest.insights.__file__).parent / f"{module}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            assert module == "scheme", node.lineno  # Of a fraction, whose quotient is one.


def test_every_scale_of_a_release_is_a_fraction() -> None:
    assert all(type(scale) is Fraction for scale in SCALE.values())
