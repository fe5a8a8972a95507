"""What a co-simulation found: values compared, mismatches and cycles, layer by layer."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["LayerResult", "Mismatch", "Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One value that differs from the golden model's.

    Parameters
    ----------
    layer : str
    image, y, x, c : int
        Where, in images and in the layer's output tensor.
    got, want : int
        Codes.
    """

    layer: str
    image: int
    y: int
    x: int
    c: int
    got: int
    want: int

    def __str__(self) -> str:
        where = f"layer {self.layer}, image {self.image}, y {self.y}, x {self.x}, channel {self.c}"
        return f"{where}: got {self.got}, want {self.want}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """A layer over all images.

    Parameters
    ----------
    name : str
    macs : int
        Multiply-accumulates for an image.
    cycles_predicted : int
        Of the cycle model.
    cycles_measured : int
        Of an image: the first count that is not as predicted, if there is one.
    utilization : float
        As the design states it, for the predicted cycles.
    compared, mismatches : int
        Values.
    """

    name: str
    macs: int
    cycles_predicted: int
    cycles_measured: int
    utilization: float
    compared: int
    mismatches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished co-simulation; ``ok`` says whether everything agreed.

    Parameters
    ----------
    images : int
    compared, mismatches : int
        Values of all layers and images, the output stream's among them.
    cycles_per_image : int
        From the last output of an image to the last output of the next one, steady state; of a
        single image, what its layers take.
    cycles_predicted : int
        What the cycle model says of that.
    utilization : float
        Multiply-accumulates / (cycles_per_image * peak).
    layers : tuple of LayerResult
    seconds : float
        Wall clock of everything, building included.
    cycles : int
        Clock cycles simulated.
    cycles_per_second : float
        Those over the time of the simulation alone.
    stalls : bool
        Whether both streams paused at random. Layers keep their cycles then, images do not.
    problems : tuple of str
        What is wrong besides values that differ: stream rules, ``last``, stray writes, cycles.
    first_mismatch : Mismatch, optional
    """

    images: int
    compared: int
    mismatches: int
    cycles_per_image: int
    cycles_predicted: int
    utilization: float
    layers: tuple[LayerResult, ...]
    seconds: float
    cycles: int
    cycles_per_second: float
    stalls: bool = False
    problems: tuple[str, ...] = ()
    first_mismatch: Mismatch | None = None

    @property
    def ok(self) -> bool:
        """Whether every value agreed, every cycle count was as predicted and no rule was broken."""
        return self.compared > 0 and self.mismatches == 0 and not self.problems

    def summary(self) -> str:
        """Return the verdict in one line."""
        text = (
            f"{self.images} images, {self.compared:,} values compared, {self.mismatches:,} mismatches, "
            f"{self.cycles_per_image:,} cycles an image, {self.cycles_per_second:,.0f} cycles/s"
        )
        if self.first_mismatch is not None:
            text += f"; first: {self.first_mismatch}"
        if self.problems:
            text += f"; {self.problems[0]}"
        if len(self.problems) > 1:
            text += f" (and {len(self.problems) - 1} more)"
        return text

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``rowloom sim --json`` writes."""
        return {**asdict(self), "ok": self.ok}

    def table(self) -> "Table":
        """Return a table for a terminal, a row for each layer and one for the sum."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title="co-simulation against the golden model", box=SIMPLE_HEAD, show_footer=True)
        table.add_column("layer", footer="all")
        columns = (
            ("MACs", f"{sum(layer.macs for layer in self.layers):,}"),
            ("cycles\npredicted", f"{self.cycles_predicted:,}"),
            ("cycles\nmeasured", f"{self.cycles_per_image:,}"),
            ("utili-\nzation", f"{self.utilization:.3f}"),
            ("values\ncompared", f"{self.compared:,}"),
            ("mis-\nmatches", f"{self.mismatches:,}"),
        )
        for name, footer in columns:
            table.add_column(name, footer=footer, justify="right", no_wrap=True)
        for layer in self.layers:
            table.add_row(
                layer.name,
                f"{layer.macs:,}",
                f"{layer.cycles_predicted:,}",
                _mark(f"{layer.cycles_measured:,}", layer.cycles_measured != layer.cycles_predicted),
                f"{layer.utilization:.3f}" if layer.macs else "",
                f"{layer.compared:,}",
                _mark(f"{layer.mismatches:,}", layer.mismatches > 0),
            )
        return table


def _mark(text: str, wrong: bool) -> str:
    return f"[bold red]{text}[/]" if wrong else text
