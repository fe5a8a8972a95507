"""Views of inputs and outputs as JSON and arrays."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.endings import Ending
from rowloom.model.softmax import IntegerSoftmax
from rowloom.model.views import Arrangement, InputView, OutputView


def input_to_json(view: InputView, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the object for an input view; its thresholds go to ``arrays``."""
    thresholds = None
    if view.thresholds is not None:
        arrays["input.thresholds.npy"] = view.thresholds
        thresholds = {"array": "input.thresholds.npy"}
    return {"arrangement": _arrangement(view.arrangement), "thresholds": thresholds}


def input_from_json(obj: dict[str, Any], read: Callable[[str], NDArray[Any]]) -> InputView:
    """Return the input view that an object tells."""
    thresholds = obj["thresholds"]
    return InputView(
        arrangement=_arrangement_from(obj["arrangement"]),
        thresholds=None if thresholds is None else read(thresholds["array"]),
    )


def output_to_json(view: OutputView) -> dict[str, Any]:
    """Return the object for an output view. Python writes a float so that the same one is read back."""
    then = view.softmax
    obj = {
        "name": view.name,
        "tensor": view.tensor,
        "arrangement": _arrangement(view.arrangement),
        "scale": view.scale.tolist(),
        "offset": view.offset.tolist(),
        "softmax": None if then is None else {f.name: getattr(then, f.name) for f in fields(then)},
        "steps": list(view.steps),
    }
    return obj | ({"endings": [ending.to_json() for ending in view.endings]} if view.endings else {})


def output_from_json(obj: dict[str, Any]) -> OutputView:
    """Return the output view that an object tells."""
    then = obj["softmax"]
    return OutputView(
        name=obj["name"],
        tensor=obj["tensor"],
        arrangement=_arrangement_from(obj["arrangement"]),
        scale=np.array(obj["scale"], np.float64),
        offset=np.array(obj["offset"], np.float64),
        softmax=None if then is None else IntegerSoftmax(**then),
        steps=tuple(obj["steps"]),
        endings=tuple(Ending.from_json(each) for each in obj.get("endings", [])),
    )


def _arrangement(arrangement: Arrangement) -> dict[str, list[int]]:
    return {name: list(getattr(arrangement, name)) for name in ("shape", "sizes", "order")}


def _arrangement_from(obj: dict[str, list[int]]) -> Arrangement:
    return Arrangement(**{name: tuple(values) for name, values in obj.items()})
