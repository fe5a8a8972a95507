"""Encodings of weights and activations that between them reach every arithmetic unit."""

from rowloom.hw.units import SPECS, unit_for
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform

SIXTEEN = Codebook((-120, -50, -31, -17, -9, -4, -2, -1, 0, 1, 3, 6, 12, 33, 70, 127))

WEIGHTS = (
    Binary(),
    Ternary(),
    Quinary(),
    PowerOfTwo(bits=3, e_min=0, e_max=2),
    PowerOfTwo(bits=4, e_min=1, e_max=4),
    PowerOfTwo(bits=2, e_min=3, e_max=4, signed=False),
    *(DoReFa(k) for k in range(1, 5)),
    Codebook((-3, 2)),
    Codebook((-3, 0, 2)),
    Codebook((-7, -2, -1, 0, 1, 3, 5, 9)),
    SIXTEEN,
    *(Uniform(bits=bits, signed=True) for bits in range(2, 9)),
    *(Uniform(bits=bits, signed=False) for bits in (2, 5, 8)),
    Uniform(bits=3, signed=False, zero_point=3),
    Uniform(bits=4, signed=True, zero_point=-3),
    Uniform(bits=2, signed=False, zero_point=9),
    Uniform(bits=8, signed=False, zero_point=131),
)

ACTIVATIONS = (
    Binary(),
    Ternary(),
    *(Uniform(bits=bits, signed=False) for bits in range(1, 9)),
    *(Uniform(bits=bits, signed=True) for bits in (1, 2, 3, 4, 8)),
    Uniform(bits=3, signed=False, zero_point=2),
    Uniform(bits=3, signed=True, zero_point=1),
    PowerOfTwo(bits=3, e_min=0, e_max=4, signed=False),
    PowerOfTwo(bits=3, e_min=1, e_max=3),
    PowerOfTwo(bits=4, e_min=2, e_max=3),
    DoReFa(2),
    DoReFa(4),
    Codebook((0, 1, 3, 7)),
    Codebook((-5, -1, 0, 2, 11)),
)


def pairs(unit, prefer=()):
    """Specs of every pair of these encodings that the table gives to a unit."""
    kind = SPECS[unit]
    every = [(w, a) for w in WEIGHTS for a in ACTIVATIONS if kind.accepts(w, a)]
    found = [kind(weights=w, activations=a) for w, a in every if unit_for(w, a, prefer, kind.OPERATION) is kind]
    assert found
    return found


def name_of(spec):
    """A test's name."""
    return f"{spec.weights}-{spec.activations}"
