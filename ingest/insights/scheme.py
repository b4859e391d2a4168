"""The parameters of a release, all of which it publishes. Changing one makes another scheme, with a number of its own.

Every figure is a sum over tenants of integers; a tenant's whole weight is UNIT, so 1/UNIT is the grain of the noise.
"""

from fractions import Fraction

SCHEME = 1
UNIT = 1_000_000
ROUTES_MAX = 20  # Of a tenant; the rest of its requests is in OTHER.
TENANTS_MIN = 10
DOMINANCE_MAX = Fraction(1, 2)  # The part of a route's weight that one tenant may be.

# What each figure spends; together they spend 1 of every tenant that takes part. The first is spent on the weights of
# all routes, which decide which of them are released, the others on those that are.
EPSILON = {
    "weight": Fraction(1, 2),
    "other": Fraction(1, 8),
    "covered": Fraction(1, 16),
    "saved": Fraction(3, 16),
    "latency": Fraction(1, 8),
}
EPSILON_MAX = Fraction(1)
assert sum(EPSILON.values()) == EPSILON_MAX
SCALE = {name: UNIT / epsilon for name, epsilon in EPSILON.items()}  # A tenant changes each sum by UNIT at most.

# With noise, a weight has to reach these. A route of TENANTS_MIN tenants has TENANTS_MIN * UNIT at most and reaches it
# once in 1e8 releases, so whether it had ten tenants or nine shows with a probability below DELTA; decision 0039 has
# the proof, and a test adds it up.
WEIGHT_MIN = 46 * UNIT
OTHER_WEIGHT_MIN = 130 * UNIT
DELTA = Fraction(1, 1_000_000)

# Of a tenant's median on a route, in bins that grow by a tenth: from 0.1 s to 58 s. The middle counts as nothing, so
# that half the range is the most that a tenant adds.
LATENCY_BIN_MIN, LATENCY_BIN_MAX = 49, 115
LATENCY_BIN_MIDDLE = (LATENCY_BIN_MIN + LATENCY_BIN_MAX) // 2
LATENCY_BINS = LATENCY_BIN_MAX - LATENCY_BIN_MIDDLE
