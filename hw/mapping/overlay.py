"""One accelerator for several networks, and networks for an accelerator that was built."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from rowloom.hw.built import Built
from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design
from rowloom.hw.mapping.capacity import merge, misfits
from rowloom.hw.mapping.choose import plane_sets
from rowloom.hw.mapping.compile import Mapped, best_of, finished, map_network, pieces_of
from rowloom.hw.parameters import Hardware
from rowloom.model.errors import DoesNotFit, RowloomError
from rowloom.model.network import Network

__all__ = ["compile_for", "compile_together"]

#: Rounds after which the networks of one accelerator must have settled on it.
_ROUNDS = 12


def compile_for(network: Network, built: Built) -> Design:
    """Compile a network for an accelerator that was built before, to be loaded.

    Where the images of two networks do not fit one above the other, the next image is not loaded while one is computed.

    Raises
    ------
    DoesNotFit
        With all that the network needs and the accelerator lacks.
    RowloomError
        If the accelerator cannot be loaded, or a layer runs on none.
    """
    if not built.hardware.load_bits:
        raise RowloomError(
            "hardware", "has its program and weights built in", "build it with load_bits (in the shell --overlay)"
        )
    pieces = pieces_of(network, built.config)
    least: list[str] | None = None
    problem: RowloomError | None = None
    for prefetch in (True, False) if built.config.prefetch else (False,):
        designs = []
        for planes, config in product(plane_sets(pieces.whole, built.config), _ways(built)):
            config = replace(config, prefetch=prefetch)
            try:
                mapped, _ = map_network(pieces.network, config, pieces.of(planes), built.hardware)
            except RowloomError as error:
                problem = problem or error
                continue
            wrong = misfits(mapped.needs, built.hardware)
            if not wrong:
                designs.append(replace(mapped.design(built.hardware), config=config))
            elif least is None or len(wrong) < len(least):
                least = wrong
        if designs:
            return finished(min(designs, key=lambda design: design.cycles), network, pieces)
    if least is None:
        assert problem is not None
        raise problem
    raise DoesNotFit(
        network.name,
        f"does not fit the hardware: {'; '.join(least)}",
        "build one for this network too: rowloom.compile([...], config), in the shell --with",
    )


def _ways(built: Built) -> list[ArrayConfig]:
    """The configuration with and without a table of the words that are not left out."""
    dense = replace(built.config, sparse=False)
    return [built.config, dense] if built.config.sparse and built.hardware.skips else [dense]


def compile_together(networks: Sequence[Network], config: ArrayConfig) -> tuple[Design, ...]:
    """Compile networks for the least accelerator that runs each of them, when it is loaded.

    What a network needs depends on what is there for the others (an array that is shared, a lane for wider codes), so
    needs are merged and networks mapped anew until nothing changes.

    Raises
    ------
    RowloomError
        If there are none, the accelerator cannot be loaded, a layer runs on none, or the networks differ in what they
        must share.
    """
    if not networks:
        raise RowloomError("networks", "there must be at least one")
    if not config.load_bits:
        raise RowloomError("load_bits", "must not be 0 for several networks", "choose 8, 16, 32 or 64")
    pieces = [pieces_of(network, config) for network in networks]
    planes = [best_of(network, config)[1] for network in networks]
    hardware: Hardware | None = None
    for _ in range(_ROUNDS):
        mapped: list[Mapped] = []
        for i, each in enumerate(pieces):
            found, planes[i] = map_network(each.network, config, planes[i], hardware)
            mapped.append(found)
        before, hardware = hardware, merge([found.needs for found in mapped])
        if hardware == before:
            break
    else:
        raise RowloomError("networks", "do not settle on one accelerator", "build one for fewer of them")
    return tuple(
        finished(replace(each.design(hardware), config=config), network, piece)
        for each, network, piece in zip(mapped, networks, pieces, strict=True)
    )
