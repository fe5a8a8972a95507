"""What the host does round a network: its input and outputs as the file that it came from shows them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.golden import input_codes, run

if TYPE_CHECKING:
    from rowloom.model.network import Network


def host_codes(network: "Network", x: ArrayLike) -> NDArray[Any]:
    """Return codes [N, H, W, C] of images in the shape and order of axes of the network's file.

    Integers are codes. Floats go through the file's own quantizer, or through the scale of the input if it has none.
    Images [N, H, W, C] are taken too, if that is not what the file's shape is.

    Raises
    ------
    RowloomError
        If the shape, type or range of ``x`` is wrong.
    """
    array = np.asarray(x)
    tensor = network.tensor(network.input)
    view = network.input_view
    if view is None:
        return input_codes(tensor, array)
    shape = view.arrangement.shape
    if array.ndim >= 1 and array.shape[1:] == shape:
        array = view.arrangement.to_map(array, tensor.shape)
    elif array.ndim != 4 or array.shape[1:] != tensor.shape:
        wanted = ", ".join(str(size) for size in shape)
        raise RowloomError("images", f"shape is {array.shape}", f"must be (N, {wanted})")
    if array.dtype.kind == "f" and view.thresholds is not None:
        if np.isnan(array).any():
            raise RowloomError("images", "hold NaN", "must be numbers")
        array = view.codes(array, tensor.encoding.code_min)
    return input_codes(tensor, array)


def host_run(network: "Network", x: ArrayLike, *, dequantize: bool = False) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Return what the network's file returns for images, in its order of axes.

    Integers: codes, or what the file's integer softmax makes of them. With ``dequantize`` the real numbers that they
    stand for, after whatever steps the file ends in. Several outputs are a dict by their names.

    Raises
    ------
    RowloomError
        If the images are wrong, or an output has no scale to dequantize by.
    """
    codes = host_codes(network, x)
    if not network.output_views:
        outputs = run(network, codes)
        named = outputs if isinstance(outputs, dict) else {network.outputs[0]: outputs}
        if dequantize:
            named = {name: _scaled(network, name, array) for name, array in named.items()}
    else:
        tensors = run(network, codes, keep="outputs")
        named = {}
        for view in network.output_views:
            encoding = network.tensor(view.tensor).encoding
            array = tensors[view.tensor]
            named[view.name] = (view.real if dequantize else view.integers)(array, encoding.decode(array))
    return named if len(named) > 1 else next(iter(named.values()))


def _scaled(network: "Network", name: str, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the real values that the codes of an output stand for."""
    tensor = network.tensor(name)
    if tensor.scale is None:
        raise RowloomError(tensor.name, "has no scale", "leave --dequantize out: its codes are all there is")
    return tensor.encoding.decode(codes) * tensor.scale
