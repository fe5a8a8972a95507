"""The host's end of the line: run images on a board as on the golden model."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.boards.identity import describe
from rowloom.boards.protocol import CRC_BYTES, FAULT_TEXT, About, Fault, Kind, crc, frame
from rowloom.model.errors import CheckFailed, RowloomError
from rowloom.model.golden import input_codes
from rowloom.model.network import Network

if TYPE_CHECKING:
    from rowloom.hw.design import Design


class Line(Protocol):
    """A byte stream: a serial port, or its stand-in in a test."""

    def write(self, data: bytes) -> object:
        """Send all of ``data``."""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, or fewer when the line's time-out passes first."""

    def close(self) -> None:
        """Give the line back."""


class Device:
    """An accelerator at the other end of a line.

    Parameters
    ----------
    line : Line
        Already open.
    name : str
        What errors call it.

    Raises
    ------
    RowloomError
        From :meth:`about` and :meth:`run`: no answer, a damaged answer, or a refusal by the board.
    """

    def __init__(self, line: Line, *, name: str = "board") -> None:
        self._line = line
        self._name = name
        self._about: About | None = None
        self._network: Network | None = None
        self._leaving: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    def about(self) -> About:
        """Ask the board what is on it."""
        self._line.write(frame(Kind.ABOUT))
        self._about = About.unpack(self._answer(Kind.ABOUT, About.size()))
        return self._about

    def load(self, design: "Design") -> None:
        """Make sure that the board holds ``design``; :meth:`run` then takes and gives what its network does.

        Raises
        ------
        CheckFailed
            If it holds another.
        """
        there, wanted = self.about(), describe(design)
        if there != wanted:
            raise CheckFailed(
                self._name,
                f"holds design {there.identity:08x}",
                f"program it with the bitstream of design {wanted.identity:08x}",
            )
        self._network = design.network
        self._leaving = design.leaving

    def run(self, x: ArrayLike) -> NDArray[np.int64] | dict[str, NDArray[np.int64]]:
        """Run images, one after the other.

        Parameters
        ----------
        x : integer or float array [N, H, W, C]
            After :meth:`load`, what :meth:`rowloom.model.network.Network.run` takes; before, input codes.

        Returns
        -------
        int64 array
            After :meth:`load`, what :meth:`rowloom.model.network.Network.run` returns; before, [N, values] in the
            order y, x, c.
        """
        about = self._about or self.about()
        network = self._network
        codes = np.asarray(x) if network is None else input_codes(network.tensor(network.input), x)
        results = np.empty((len(codes), about.output_beats), dtype=np.int64)
        for image, result in zip(codes, results, strict=True):
            self._line.write(about.encode_image(image))
            result[:] = about.decode_result(self._answer(Kind.RUN, about.output_bytes))
        if network is None:
            return results
        return _tensors(network, self._leaving, results)

    def _read(self, size: int) -> bytes:
        data = self._line.read(size)
        if len(data) != size:
            raise RowloomError(self._name, f"answered {len(data)} of {size} bytes", "check the line and its baud rate")
        return data

    def _answer(self, wanted: Kind, size: int) -> bytes:
        """Return the payload, ``size`` bytes, of an answer of kind ``wanted``."""
        head = self._read(1)
        if head[0] not in (wanted, Kind.ERROR):
            raise RowloomError(self._name, f"answered with byte 0x{head[0]:02x}", f"need 0x{wanted:02x}")
        payload = self._read(size if head[0] == wanted else 1)
        if self._read(CRC_BYTES) != crc(head + payload):
            raise RowloomError(self._name, "the answer's checksum is wrong", "check the line and its baud rate")
        if head[0] == Kind.ERROR:
            known = payload[0] in set(Fault)
            raise RowloomError(
                self._name, FAULT_TEXT[Fault(payload[0])] if known else f"reason {payload[0]}", "try again"
            )
        return payload


def _tensors(
    network: Network, leaving: Sequence[str], results: NDArray[np.int64]
) -> NDArray[np.int64] | dict[str, NDArray[np.int64]]:
    """The outputs of a network, from its values [N, values] in the order in which they leave."""
    tensors, start = {}, 0
    for name in leaving:
        height, width, channels = network.tensor(name).shape
        values = results[:, start : start + height * width * channels]
        tensors[name] = values if (height, width) == (1, 1) else values.reshape(-1, height, width, channels)
        start += height * width * channels
    return {name: tensors[name] for name in network.outputs} if len(tensors) > 1 else tensors[network.outputs[0]]


def open_device(address: str, *, baud: int = 1_000_000, time_out_seconds: float = 5.0) -> Device:
    """Open a board on a serial port.

    Parameters
    ----------
    address : str
        ``serial://`` and the port, as in ``serial:///dev/ttyUSB0``.
    baud : int
        Bits a second, as the board was built for.
    time_out_seconds : float
        How long to wait for an answer.

    Raises
    ------
    RowloomError
        If the address is of another kind or the port cannot be opened.
    """
    kind, _, port = address.partition("://")
    if kind != "serial" or not port:
        raise RowloomError(f"device {address!r}", "unknown kind of address", "need serial:// and a port")
    import serial  # only where a port is opened, so that simulating needs no serial driver

    try:
        line = serial.Serial(port, baud, timeout=time_out_seconds)
    except (serial.SerialException, OSError) as error:
        raise RowloomError(
            f"device {address!r}", f"cannot be opened ({error})", "name a serial port that exists"
        ) from error
    return Device(line, name=port)
