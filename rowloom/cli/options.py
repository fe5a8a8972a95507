"""Options that several verbs share."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from rowloom.model.errors import RowloomError

if TYPE_CHECKING:
    from rowloom.hw.design import Design

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

network_argument = click.argument("network", metavar="M")


def input_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what tells of the input of a graph that does not quantize it."""
    scale = "What an input value of 1 stands for, such as 1/255, if the file does not quantize."
    encoding = "Encoding of the input, such as uint8, if the file does not quantize."
    function = click.option("--input-encoding", metavar="E", help=encoding)(function)
    return click.option("--input-scale", metavar="S", help=scale)(function)


json_option = click.option("--json", "json_file", metavar="FILE", help="Write one JSON object; - for standard output.")
verbose_option = click.option("--verbose", is_flag=True, expose_value=False, help="Give the traceback of an error.")


def verb(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a verb of a function: ``-h``, ``--verbose`` and ``--json`` come with it."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        return click.command(name, context_settings=settings)(json_option(verbose_option(function)))

    return decorate


def array_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what sizes the array; :func:`design_for` takes the values as keywords."""
    for option in reversed(
        (
            click.option("--rows", type=int, metavar="P", help="Rows of the array."),
            click.option("--cols", type=int, metavar="Q", help="Columns of the array: output rows at a time."),
            click.option("--lanes", type=int, metavar="L", help="Products of an element and cycle."),
            click.option("--group", type=int, help="Filter rows that a column sums in space."),
            click.option("--drains", type=int, help="Drain chains of a column."),
            click.option("--vector-drains", type=int, help="Codes of a column that leave the vector path at once."),
            click.option("--input-lanes", type=int, help="Lanes of the array of the first layer."),
            click.option(
                "--unit", "units", multiple=True, metavar="U", help="Prefer this arithmetic unit; may be repeated."
            ),
            click.option(
                "--planes",
                type=click.Choice(["auto", "always", "never"]),
                default="auto",
                show_default=True,
                help="Run layers of several bits as bit planes on the xnor array; auto: by LUTs x cycles.",
            ),
            click.option("--no-sparse", is_flag=True, help="Do not leave out words of weights that are zero."),
            click.option("--no-prefetch", is_flag=True, help="Do not load an image while another is computed."),
            click.option(
                "--overlay",
                "load_bits",
                is_flag=False,
                flag_value=32,
                type=int,
                metavar="[BITS]",
                help="Load program and weights over a port of so many bits (32) instead of building them in.",
            ),
            click.option(
                "--single-port",
                is_flag=True,
                help="Weight memories of one port, in SPRAM where there is any. Implies --overlay.",
            ),
            click.option(
                "--weight-stream",
                type=int,
                default=0,
                metavar="BITS",
                help="Bits a cycle in which weights come while images are computed. Implies --overlay.",
            ),
            click.option(
                "--weight-depth",
                type=int,
                default=0,
                metavar="WORDS",
                help="With --weight-stream, most words of the weight memory of an array's row.",
            ),
            click.option(
                "--with",
                "others",
                multiple=True,
                metavar="N",
                help="Build so that network N can be loaded too; may be repeated. Implies --overlay.",
            ),
            click.option(
                "--for", "built", metavar="FILE", help="Map onto the accelerator that this manifest.json tells of."
            ),
            click.option("--board", metavar="B", help="Size the array for a board instead; see rowloom boards."),
            click.option(
                "--goal",
                type=click.Choice(["balanced", "throughput", "latency", "size"]),
                default="balanced",
                show_default=True,
                help="What the array for a board shall be best at; balanced: LUTs times cycles.",
            ),
        )
    ):
        function = option(function)
    return function


def design_for(
    network: str,
    *,
    rows: int | None = None,
    cols: int | None = None,
    lanes: int | None = None,
    group: int | None = None,
    drains: int | None = None,
    vector_drains: int | None = None,
    input_lanes: int | None = None,
    units: tuple[str, ...] = (),
    planes: str = "auto",
    no_sparse: bool = False,
    no_prefetch: bool = False,
    load_bits: int | None = None,
    single_port: bool = False,
    weight_stream: int = 0,
    weight_depth: int = 0,
    others: tuple[str, ...] = (),
    built: str | None = None,
    board: str | None = None,
    goal: str = "balanced",
    clock_mhz: float | None = None,
) -> "Design":
    """Compile a network for the array that the options ask for.

    ``--rows --cols --lanes`` together, or ``--board`` to have the array sized, or neither for the default array; or
    ``--for`` an accelerator that was built with ``--overlay``.

    Raises
    ------
    RowloomError
        If they contradict each other, or a size is less than 1.
    """
    import rowloom
    from rowloom.hw.config import DEFAULT

    sizes = {"rows": rows, "cols": cols, "lanes": lanes}
    given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if given and len(given) < len(sizes):
        missing = ", ".join(f"--{name}" for name in sizes if name not in given)
        raise RowloomError(missing, "is missing", "give --rows, --cols and --lanes together")
    finer: dict[str, Any] = {
        name: size
        for name, size in {
            "group": group,
            "drains": drains,
            "vector_drains": vector_drains,
            "input_lanes": input_lanes,
        }.items()
        if size is not None
    }
    for name, size in {**given, **finer}.items():
        if size < 1:
            raise RowloomError(f"--{name.replace('_', '-')}", f"must be at least 1, not {size}")
    if (finer or no_prefetch or no_sparse or units) and not given:
        raise RowloomError("--rows", "is missing", "finer options need --rows, --cols and --lanes")
    net = rowloom.load(network)
    if built is not None:
        if given or finer or no_prefetch or no_sparse or units or load_bits or others or single_port or weight_stream:
            raise RowloomError("--for", "is given", "leave out what sizes another accelerator")
        return rowloom.compile(net, hardware=built)
    if given:
        config = rowloom.ArrayConfig(
            **given,
            **finer,
            prefetch=not no_prefetch,
            sparse=not no_sparse,
            units=units,
            planes=planes,
        )
    elif board is not None:
        config = rowloom.fit(net, board, goal, clock_mhz=clock_mhz, planes=planes)
    else:
        config = replace(DEFAULT, planes=planes)
    if load_bits or others or single_port or weight_stream or weight_depth:
        config = replace(
            config,
            load_bits=load_bits or 32,
            single_port=single_port,
            weight_stream=weight_stream,
            weight_depth=weight_depth,
        )
    if others:
        return rowloom.compile([net, *(rowloom.load(other) for other in others)], config)[0]
    return rowloom.compile(net, config)
