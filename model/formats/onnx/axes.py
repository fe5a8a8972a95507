"""Which axis of a file's tensor is which axis of the network's map.

An axis of a file is a tuple of *atoms*, outermost first: flattening [N, C, H, W] gives [N, (C, H, W)]. Atoms of size 1
are left out, so that squeezing and unsqueezing change nothing. Maps are stored as H x W x C whatever the file's order
is, so that a transpose only changes the order of atoms here and moves no data.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.views import Arrangement

BATCH = "N"
"""The atom of the batch, of any size."""

ROLES = ("H", "W", "C")

SPLIT = ("C/o", "C/i")
"""The channels of a map taken apart, outermost first: told in the other order they are shuffled."""

Axis = tuple[str, ...]


class Misfit(ValueError):
    """Something about axes does not fit; the message says what, the caller adds where."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Numbers that differ along some atoms, as float32 or integers: ``values`` has an axis for each of ``atoms``."""

    atoms: tuple[str, ...]
    values: NDArray[Any]

    @classmethod
    def scalar(cls, value: float) -> "Parameter":
        """Return one number for all."""
        return cls((), np.asarray(value, dtype=np.float32))

    def channels(self, names: Mapping[str, str], count: int) -> NDArray[Any]:
        """Return the numbers [count] by channel; ``names`` says which atom is C.

        Raises
        ------
        Misfit
            If they differ along another axis.
        """
        if not self.atoms:
            return np.broadcast_to(self.values, count)
        if any(names.get(atom) != "C" for atom in self.atoms) or self.values.size != count:
            raise Misfit("has parameters that differ within a map")
        return self.values.reshape(count)


def resolved_shape(shape: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return what a Reshape of a shape makes of a wanted one with 0 and -1; the batch counts as 1.

    Raises
    ------
    Misfit
        If it makes nothing of the kind.
    """
    result = [(shape[place] if place < len(shape) else -2) if size == 0 else size for place, size in enumerate(wanted)]
    total = math.prod(shape)
    if result and result[0] == -1 and -1 not in result[1:] and math.prod(result[1:]) == total:
        result[0] = 1
    if result.count(-1) == 1:
        rest = -math.prod(result)
        if rest <= 0 or total % rest:
            raise Misfit(f"makes {list(wanted)} of {tuple(shape)}")
        result[result.index(-1)] = total // rest
    if not result or min(result) < 1 or math.prod(result) != total:
        raise Misfit(f"makes {list(wanted)} of {tuple(shape)}")
    return result


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of a tensor of the file.

    Parameters
    ----------
    axes : tuple of tuple of str
        Atoms of every axis; the first axis begins with the batch.
    sizes : mapping of str to int
        Of every atom but the batch.
    """

    axes: tuple[Axis, ...]
    sizes: Mapping[str, int]

    @classmethod
    def of_map(cls, shape: tuple[int, int, int], order: str) -> "Axes":
        """Return the axes of a map H x W x C in an order such as ``NCHW``; a letter left out has size 1."""
        sizes = dict(zip(ROLES, shape, strict=True))
        return cls(tuple((letter,) if letter == BATCH or sizes[letter] > 1 else () for letter in order), sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the file's axes; 1 for the batch."""
        return tuple(math.prod(self.sizes[atom] for atom in axis if atom != BATCH) for axis in self.axes)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.axes)

    def transposed(self, order: Sequence[int]) -> "Axes":
        """Return the axes in another order."""
        if sorted(order) != list(range(self.rank)):
            raise Misfit(f"permutes {self.rank} axes by {list(order)}")
        return Axes(tuple(self.axes[axis] for axis in order), self.sizes)

    def squeezed(self, which: Sequence[int] | None) -> "Axes":
        """Return the axes without those of size 1 that ``which`` names; without all of them for None."""
        drop = {axis % self.rank for axis in which} if which is not None else set(range(1, self.rank))
        if which is not None and any(self.axes[axis] for axis in drop):
            raise Misfit(f"squeezes axes {sorted(drop)} of {self.shape}")
        return Axes(tuple(a for i, a in enumerate(self.axes) if a or i not in drop), self.sizes)

    def unsqueezed(self, which: Sequence[int]) -> "Axes":
        """Return the axes with new ones of size 1 at places of the result."""
        rank = self.rank + len(which)
        new = {axis % rank for axis in which}
        rest = iter(self.axes)
        return Axes(tuple(() if place in new else next(rest) for place in range(rank)), self.sizes)

    def reshaped(self, shape: Sequence[int]) -> "Axes":
        """Return the axes of another shape of the same data, splitting atoms where that needs it.

        Raises
        ------
        Misfit
            If an axis would hold parts of atoms that are bound to a map, other than of its channels once, or the batch
            would not be the outermost atom.
        """
        sizes = dict(self.sizes)
        wanted = resolved_shape(self.shape, shape)
        if not self.axes or self.axes[0][:1] != (BATCH,):
            raise Misfit("moves the batch")
        waiting = [atom for axis in self.axes for atom in axis if atom != BATCH]
        result: list[Axis] = []
        for size in wanted:
            axis: list[str] = [] if result else [BATCH]
            left = size
            while left > 1:
                if not waiting:
                    raise Misfit(f"makes {list(shape)} of {self.shape}")
                atom = waiting[0]
                if left % sizes[atom] == 0:
                    left //= sizes[atom]
                    axis.append(waiting.pop(0))
                elif sizes[atom] % left == 0 and (atom not in (*ROLES, *SPLIT) or atom == "C"):
                    outer, inner = SPLIT if atom == "C" else (f"{atom}o", f"{atom}i")
                    sizes[outer], sizes[inner] = left, sizes[atom] // left
                    waiting[:1] = [outer, inner]
                else:
                    raise Misfit(f"makes {list(shape)} of {self.shape}, which cuts through a map")
            result.append(tuple(axis))
        if waiting:
            raise Misfit(f"makes {list(shape)} of {self.shape}")
        return Axes(tuple(("C",) if axis == SPLIT else axis for axis in result), sizes)

    @property
    def shuffled(self) -> bool:
        """Whether the parts of the channels stand together again, in the other order."""
        return SPLIT[::-1] in self.axes

    def whole(self) -> "Axes":
        """Return the same axes after the channels were shuffled as these tell."""
        return Axes(tuple(("C",) if axis == SPLIT[::-1] else axis for axis in self.axes), self.sizes)

    def parameter(self, values: NDArray[Any]) -> Parameter:
        """Return what numbers that broadcast against this tensor are along its atoms."""
        shape = (1,) * (self.rank - values.ndim) + values.shape
        if len(shape) > self.rank:
            if math.prod(shape[: len(shape) - self.rank]) != 1:
                raise Misfit(f"has parameters of {values.shape} for {self.shape}")
            shape = shape[len(shape) - self.rank :]
        atoms: list[str] = []
        for axis, size in zip(self.axes, shape, strict=True):
            if size == 1:
                continue
            if BATCH in axis or size != math.prod(self.sizes[atom] for atom in axis):
                raise Misfit(f"has parameters of {values.shape} for {self.shape}")
            atoms.extend(axis)
        split = values.reshape([self.sizes[atom] for atom in atoms])
        # Along an atom where they do not differ they need not be told apart.
        for place in reversed(range(len(atoms))):
            first = np.take(split, [0], axis=place)
            if np.array_equal(np.broadcast_to(first, split.shape), split):
                split = np.take(split, 0, axis=place)
                del atoms[place]
        return Parameter(tuple(atoms), split)

    def arrangement(self) -> Arrangement:
        """Return how a map H x W x C is laid out here; every atom must be one of a map, or of its channels."""
        if self.axes[0] != (BATCH,):
            raise Misfit("has its batch joined to other axes")
        atoms = [atom for axis in self.axes for atom in axis if atom != BATCH]
        known = (*ROLES, *SPLIT)
        by_role = sorted(range(len(atoms)), key=lambda place: known.index(atoms[place]))
        return Arrangement(
            shape=tuple(self.shape[1:]), sizes=tuple(self.sizes[atom] for atom in atoms), order=tuple(by_role)
        )


class Binding:
    """Which atoms of the graph's input are H, W and C: found out when the first layer takes it.

    Until then the atoms are the file's axes, or parts of them.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        """Of an input of a shape in the file, whose first axis is the batch."""
        sizes = {f"a{place}": size for place, size in enumerate(shape) if place}
        axes = tuple((f"a{place}",) if size > 1 else () for place, size in enumerate(shape) if place)
        self.axes = Axes(((BATCH,), *axes), sizes)
        self._members: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        self._sizes: dict[str, int] = {}

    @property
    def bound(self) -> bool:
        """Whether roles are known."""
        return bool(self._members)

    @property
    def names(self) -> Mapping[str, str]:
        """The role of every atom, those of maps too."""
        return self._names | {role: role for role in ROLES}

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, C of the input."""
        height, width, channels = (
            math.prod(self._sizes[atom] for atom in self._members.get(role, ())) for role in ROLES
        )
        return height, width, channels

    def bind(self, axes: Axes, order: str) -> None:
        """Let the axes of a tensor be those of ``order``, such as ``NCHW``; an atom that is left out is of size 1."""
        if self.bound:
            return
        if axes.axes[0] != (BATCH,):
            raise Misfit("has its batch elsewhere than in front")
        members = {role: axes.axes[order.index(role)] if role in order else () for role in ROLES}
        if any(BATCH in atoms for atoms in members.values()):
            raise Misfit("mixes the batch with other axes")
        self._members = members
        self._names = {atom: role for role, atoms in self._members.items() for atom in atoms}
        self._sizes = dict(axes.sizes)

    def apply(self, axes: Axes) -> Axes:
        """Return the axes with roles for atoms, as far as they are bound."""
        if not self.bound:
            return axes
        sizes = dict(zip(ROLES, self.shape, strict=True))
        result = []
        for axis in axes.axes:
            roles: list[str] = []
            rest = list(axis)
            while rest:
                role = rest[0] if rest[0] in (BATCH, *ROLES, *SPLIT) else self._names.get(rest[0])
                members = (rest[0],) if role == rest[0] else self._members.get(role or "", ())
                if role is None or tuple(rest[: len(members)]) != members:
                    raise Misfit("takes the input apart in another way than a layer before")
                roles.append(role)
                del rest[: len(members)]
            result.append(tuple(roles))
        return Axes(tuple(result), {**axes.sizes, **sizes} if not set(axes.sizes) & set(ROLES) else axes.sizes)

    def arrangement(self) -> Arrangement:
        """Return how the file lays the input out."""

        def leaves(atom: str) -> list[str]:
            if atom in self._names or f"{atom}o" not in self._sizes:
                return [atom]
            return [*leaves(f"{atom}o"), *leaves(f"{atom}i")]

        atoms = [leaf for axis in self.axes.axes[1:] for atom in axis for leaf in leaves(atom)]
        wanted = [atom for role in ROLES for atom in self._members.get(role, ())]
        return Arrangement(
            shape=tuple(self.axes.shape[1:]),
            sizes=tuple(self._sizes[atom] for atom in atoms),
            order=tuple(atoms.index(atom) for atom in wanted),
        )
