# amaranth: UnusedElaboratable=no
"""Host and gateware against each other: the same framing, in Python and in gates, over a simulated line."""

import numpy as np
import pytest

from rowloom.boards.framing import Framer
from rowloom.boards.host import Device
from rowloom.boards.identity import describe
from rowloom.boards.protocol import About, Kind, crc, frame
from rowloom.boards.shell import Shell
from rowloom.hw.config import ArrayConfig
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import CheckFailed, RowloomError
from rowloom.model.layers import Linear
from rowloom.model.network import Network, Tensor
from tests.boards.fake import FakeAccelerator
from tests.boards.line import SimulatedLine

DIVIDER = 5
TIME_OUT = 40 * 10 * DIVIDER


def about_of(input_bits=8, output_bits=18, input_beats=9, output_beats=3):
    return About(
        input_bits=input_bits,
        output_bits=output_bits,
        input_beats=input_beats,
        output_beats=output_beats,
        identity=0x12345678,
    )


def connected(about):
    fake = FakeAccelerator(about)
    line = SimulatedLine(Shell(fake, about=about, divider=DIVIDER, time_out=TIME_OUT), divider=DIVIDER, patience=40_000)
    return fake, line, Device(line)


def images(about, count, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 1 << about.input_bits, (count, about.input_beats))
    x[0] = (1 << about.input_bits) - 1
    return x


@pytest.mark.parametrize(
    "about",
    [about_of(), about_of(1, 4, 7, 1), about_of(9, 8, 5, 4), about_of(16, 33, 4, 2), about_of(4, 24, 1, 1)],
    ids=lambda a: f"{a.input_bits}x{a.input_beats}-{a.output_bits}x{a.output_beats}",
)
def test_frame_after_frame(about):
    fake, _, device = connected(about)
    x = images(about, 4)
    assert device.about() == about
    assert device.run(x).tolist() == [fake.expected(image) for image in x]


class FakeDesign:
    """A design as far as the host looks at it: `network`, `leaving`, `config`, widths and lengths."""

    def __init__(self, name):
        tensors = (
            Tensor(name="x", shape=(3, 3, 1), encoding=Uniform(bits=8, signed=False), scale=0.5),
            Tensor(name="y", shape=(1, 1, 3), encoding=Uniform(bits=18, signed=True)),
        )
        layer = Linear(
            name="dense", input="x", output="y", weights=np.ones((3, 3, 3, 1), np.int8), weight_encoding=Binary()
        )
        self.network = Network(name=name, tensors=tensors, layers=(layer,), input="x", outputs=("y",))
        self.leaving = ("y",)
        self.config = ArrayConfig(rows=1, cols=1, lanes=1)
        self.input_bits, self.output_bits, self.input_beats, self.output_beats = 8, 18, 9, 3


def test_a_loaded_design_takes_what_its_network_takes():
    design = FakeDesign("one")
    fake, _, device = connected(describe(design))
    device.load(design)
    x = images(device.about(), 2).reshape(-1, 3, 3, 1)
    wanted = [fake.expected(image) for image in x]
    assert device.run(x).tolist() == wanted
    assert device.run(x * 0.5).tolist() == wanted, "floats are quantized by the input's scale"
    with pytest.raises(RowloomError, match=r"^images: shape is"):
        device.run(x[:, 0])


def test_load_refuses_another_design():
    _, _, device = connected(describe(FakeDesign("one")))
    with pytest.raises(CheckFailed, match=r"^board: holds design [0-9a-f]{8}, program it with the bitstream of design"):
        device.load(FakeDesign("other"))


def corrupt(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("request_of", "reason"),
    [
        (lambda good: corrupt(good, 3), "checksum was wrong"),
        (lambda good: corrupt(good, len(good) - 1), "checksum was wrong"),
        (lambda good: good[:4], "cut short"),
        (lambda good: good[:1], "cut short"),
        (lambda good: good[:-1], "cut short"),
        (lambda good: corrupt(frame(Kind.ABOUT), 2), "checksum was wrong"),
        (lambda good: frame(Kind.ABOUT)[:-1], "cut short"),
        (lambda good: b"\x00" + good[1:], "unknown kind"),
        (lambda good: b"V" + good[1:], "checksum was wrong"),
    ],
    ids=["code", "crc", "short", "only-kind", "half-crc", "about-crc", "about-short", "kind", "other-kind"],
)
def test_a_bad_request_is_refused_and_the_next_one_runs(request_of, reason):
    about = about_of()
    fake, line, device = connected(about)
    x = images(about, 3)
    device.about()
    assert device.run(x[:1]).tolist() == [fake.expected(x[0])]
    line.write(request_of(about.encode_image(x[1])))
    with pytest.raises(RowloomError, match=reason):
        device._answer(Kind.RUN, about.output_bytes)
    assert line.read(1) == b"", "nothing may follow a refusal"
    assert device.run(x[2:]).tolist() == [fake.expected(x[2])]


def test_a_byte_lost_on_the_line_is_told():
    about = about_of()
    fake, line, device = connected(about)
    x = images(about, 2)
    good = about.encode_image(x[0])
    line.write(good[:3])
    line.break_byte()
    line.write(good[4:])
    with pytest.raises(RowloomError, match=r"cut short|lost on the line"):
        device._answer(Kind.RUN, about.output_bytes)
    assert device.run(x[1:]).tolist() == [fake.expected(x[1])]


def test_noise_between_requests_is_told_once():
    about = about_of()
    fake, line, device = connected(about)
    line.break_byte()
    with pytest.raises(RowloomError, match="lost on the line"):
        device._answer(Kind.RUN, about.output_bytes)
    x = images(about, 1)
    assert device.run(x).tolist() == [fake.expected(x[0])]


def test_slow_senders_are_waited_for():
    about = about_of()
    fake, line, device = connected(about)
    x = images(about, 1)
    for byte in about.encode_image(x[0]):
        line.write(bytes([byte]))
        line.pause(TIME_OUT // 2)
    payload = device._answer(Kind.RUN, about.output_bytes)
    assert about.decode_result(payload).tolist() == fake.expected(x[0])


class Recorded:
    """A line that answers with what was put in beforehand."""

    def __init__(self, data):
        self.data = data

    def write(self, data):
        pass

    def read(self, size):
        data, self.data = self.data[:size], self.data[size:]
        return data

    def close(self):
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", r"^board: answered 0 of 1 bytes, check the line and its baud rate$"),
        (b"X", r"^board: answered with byte 0x58, need 0x56$"),
        (frame(Kind.ABOUT, about_of().pack())[:-1], r"^board: answered 1 of 2 bytes"),
        (corrupt(frame(Kind.ABOUT, about_of().pack()), 5), r"^board: the answer's checksum is wrong"),
        (b"E\x09" + crc(b"E\x09"), r"^board: reason 9, try again$"),
    ],
)
def test_bad_answers_are_refused(answer, message):
    with pytest.raises(RowloomError, match=message):
        Device(Recorded(answer)).about()


def test_time_out_is_checked():
    with pytest.raises(ValueError, match=r"^time_out must be positive, not 0$"):
        Framer(about=about_of(), time_out=0)
