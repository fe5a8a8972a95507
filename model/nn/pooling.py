"""Windows of one channel at a time."""

from torch import Tensor, nn
from torch.nn import functional


class MaxPool2d(nn.Module):
    """The greatest value of each window; ``padding`` on all sides is ignored.

    Parameters
    ----------
    kernel : int
        Side of the window.
    stride : int or None
        Step; the window by default.
    padding : int
        At most half the window.
    """

    def __init__(self, kernel: int, *, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride or kernel
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, E, F]."""
        return functional.max_pool2d(x, self.kernel, self.stride, self.padding)
