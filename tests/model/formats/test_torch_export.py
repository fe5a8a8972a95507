"""PT2E-quantized modules against themselves."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rowloom
from rowloom.model.formats.source import import_file
from rowloom.model.formats.torch_export import from_exported
from rowloom.model.host import host_run

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


def exported(module, shape, per_channel=True, **options):
    pytest.importorskip("torchao", reason="needs the extra 'exporters'")
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    example = (torch.randn(1, *shape),)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))
    prepared = prepare_pt2e(torch.export.export(module.eval(), example).module(), quantizer)
    for _ in range(4):
        prepared(torch.randn(1, *shape))
    return torch.export.export(convert_pt2e(prepared, **options), example)


class Residual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(8)
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.dense = torch.nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.nn.functional.max_pool2d(torch.relu(x + self.second(x)), 2)
        return self.dense(torch.flatten(torch.nn.functional.adaptive_avg_pool2d(x, 1), 1))


@pytest.mark.parametrize("per_channel", [False, True])
def test_equals_the_module(per_channel):
    torch.manual_seed(0)
    program = exported(Residual(), (3, 8, 8), per_channel)
    imported = from_exported(program, "residual")
    net = imported.network
    assert [layer.op for layer in net.layers] == ["conv2d", "conv2d", "add", "max_pool2d", "average_pool2d", "linear"]
    x = torch.randn(50, 1, 3, 8, 8)
    module = program.module()
    want = np.concatenate([module(each).numpy() for each in x])
    got = host_run(net, x[:, 0].numpy(), dequantize=True)
    assert got.shape == want.shape
    # An average of 16 equal steps is often exactly a half, which the module's float32 decides.
    assert imported.float_ties > 0
    assert np.mean(got != want) < 0.04
    step = np.diff(np.unique(want)).min()
    assert np.abs(got - want).max() < 1.5 * step
    assert len(np.unique(want)) > 20


def test_what_is_no_program():
    with pytest.raises(rowloom.RowloomError, match=r"^m: is a Linear, need the ExportedProgram"):
        rowloom.from_torch_export(torch.nn.Linear(2, 2), "m")


def test_floats_are_refused():
    program = torch.export.export(torch.nn.Sequential(torch.nn.Linear(2, 2)), (torch.randn(1, 2),))
    with pytest.raises(rowloom.RowloomError, match=r"^m: node linear \(Gemm\): has weights that are floats"):
        rowloom.from_torch_export(program, "m")


class Many(torch.nn.Module):
    """Activations, pools, moves of axes and of pixels."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Hardswish(), nn.MaxPool2d(2))
        self.second = nn.Sequential(nn.Conv2d(8, 8, 1, groups=2), nn.AvgPool2d(3, 1), nn.LeakyReLU(0.1))
        self.third = nn.Sequential(nn.ChannelShuffle(4), nn.Conv2d(8, 12, (1, 2), bias=False), nn.SiLU())
        self.last = nn.Linear(3, 4)

    def forward(self, x):
        x = self.third(self.second(self.first(x)))
        x = torch.nn.functional.pixel_shuffle(torch.nn.functional.pad(x, (1, 0, 0, 1)), 2)
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.last(x.permute(0, 2, 3, 1)))


class Line(torch.nn.Module):
    """In one dimension."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.body = nn.Sequential(
            *(nn.Conv1d(2, 8, 5, stride=2), nn.BatchNorm1d(8), nn.ReLU6(), nn.MaxPool1d(2), nn.Conv1d(8, 6, 3)),
            *(nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 3)),
        )

    def forward(self, x):
        return torch.softmax(self.body(x) * 4, 1)


MODULES = {"residual": (Residual, (3, 8, 8)), "many": (Many, (3, 12, 12)), "line": (Line, (2, 40))}


@pytest.fixture(scope="module")
def programs():
    torch.manual_seed(1)
    return {name: exported(module(), shape) for name, (module, shape) in MODULES.items()}


def compared(program, got, images):
    module = program.module()
    want = np.concatenate([module(images[i : i + 1]).detach().numpy() for i in range(len(images))])
    assert got.shape == want.shape
    assert len(np.unique(want)) > 20
    return np.mean(~np.isclose(got, want, rtol=1e-5, atol=1e-6))


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("name", ["many", "line"])
def test_files(name, decomposed, programs, tmp_path):
    """What torch.export.save writes is what torch.export.export gave."""
    program = programs[name].run_decompositions() if decomposed else programs[name]
    torch.export.save(program, tmp_path / "m.pt2")
    net = rowloom.from_torch_export(tmp_path / "m.pt2")
    assert net.name == "m"
    assert net.about["producer"].startswith("torch.export 2.")
    torch.manual_seed(2)
    images = torch.randn(40, *MODULES[name][1])
    got = host_run(net, images.numpy(), dequantize=True)
    assert np.array_equal(got, host_run(rowloom.from_torch_export(program), images.numpy(), dequantize=True))
    # Sums of products in another order than torch's: now and then one beside a half.
    assert compared(program, got, images) < 0.003


def test_weights_that_the_program_quantizes(tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    program = exported(module, (8,), fold_quantize=False)
    images = torch.randn(100, 8)
    got = host_run(rowloom.from_torch_export(program), images.numpy(), dequantize=True)
    assert compared(program, got, images) == 0


def test_nothing_of_a_file_is_unpickled(programs, tmp_path):
    torch.export.save(programs["line"], tmp_path / "m.pt2")
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    (sample,) = (name for name in entries if "sample_inputs" in name)
    entries[sample] = b"cos\nsystem\n(S'false'\ntR."
    written_again(tmp_path / "m.pt2", entries)
    assert rowloom.from_torch_export(tmp_path / "m.pt2").layers


def written_again(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def entries(programs):
    buffer = io.BytesIO()
    torch.export.save(programs["residual"], buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {info.filename.partition("/")[2]: archive.read(info) for info in archive.infolist()}


def changed(entries, place, change):
    content = json.loads(entries[place])
    change(content)
    return {f"m/{name}": data for name, data in entries.items()} | {f"m/{place}": json.dumps(content).encode()}


WEIGHTS = "data/weights/model_weights_config.json"


@pytest.mark.parametrize(
    ("place", "change", "match"),
    [
        (WEIGHTS, lambda c: next(iter(c["config"].values())).update(use_pickle=True), r": first.weight: is pickled"),
        (
            WEIGHTS,
            lambda c: next(iter(c["config"].values()))["tensor_meta"]["sizes"][0].update(as_int=1 << 40),
            r": first.weight: claims 1099511627776x3x3x3 elements that are not in the file",
        ),
        (WEIGHTS, lambda c: c["config"].popitem(), r": \S+: is not in the archive"),
        ("models/model.json", lambda c: c.pop("graph_module"), r": is no whole archive of an exported program"),
        (
            "models/model.json",
            lambda c: c["graph_module"]["graph"]["nodes"][8].update(target="torch.ops.aten.det.default"),
            r": node \w+ \(aten.det\): operator is not supported, supported: _operator.getitem, aten",
        ),
    ],
)
def test_archives_that_are_not_whole(place, change, match, entries, tmp_path):
    written_again(tmp_path / "m.pt2", changed(entries, place, change))
    with pytest.raises(rowloom.RowloomError, match=r"m\.pt2" + match) as caught:
        import_file(tmp_path / "m.pt2")
    assert "\n" not in str(caught.value)


def test_other_archives(programs, tmp_path):
    path = tmp_path / "m.pt2"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(rowloom.RowloomError, match=r"m\.pt2: is a zip archive of another kind: torch.save's"):
        import_file(path)
    np.savez(tmp_path / "m.npz", a=np.zeros(3))
    with pytest.raises(rowloom.RowloomError, match=r"is a zip archive of another kind"):
        import_file(tmp_path / "m.npz")
    torch.export.save(programs["line"], path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(rowloom.RowloomError, match=r"is a zip archive that is truncated or damaged"):
        import_file(path)
    path.write_bytes(b"hello")
    with pytest.raises(rowloom.RowloomError, match=r"is no zip archive, need a file of torch.export.save"):
        rowloom.from_torch_export(path)


def test_a_compressed_archive(entries, tmp_path):
    """Which may claim more than it holds."""
    written_again(tmp_path / "m.pt2", {f"m/{k}": v for k, v in entries.items()}, zipfile.ZIP_DEFLATED)
    with pytest.raises(rowloom.RowloomError, match=r"has a compressed entry models/model.json"):
        import_file(tmp_path / "m.pt2")


def test_scales_that_follow_the_input():
    pytest.importorskip("torchao")
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    module = torch.nn.Sequential(torch.nn.Linear(64, 64))
    quantize_(module, Int8WeightOnlyConfig())
    program = torch.export.export(module, (torch.randn(1, 64),))
    with pytest.raises(rowloom.RowloomError, match=r"is a Int8Tensor, need plain tensors: quantize with prepare_pt2e"):
        rowloom.from_torch_export(program, "m")


@settings(max_examples=150, deadline=10_000, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_archives_are_refused_in_one_line(entries, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.pt2"
    place = data.draw(st.sampled_from(["models/model.json", "models/model.json", WEIGHTS]))

    def change(content):
        at = content["graph_module"]["graph"] if place != WEIGHTS and data.draw(st.booleans()) else content
        while isinstance(at, dict | list) and at:
            key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], dict | list) or data.draw(st.integers(0, 9)) == 0:
                values = [0, -1, 1 << 40, 1e300, None, "", "x", [], {}, True, {"as_int": 5}]
                at[key] = data.draw(st.sampled_from(values))
                return
            at = at[key]

    written_again(path, changed(entries, place, change))
    told = str(path)
    try:
        assert import_file(path).network.layers
    except rowloom.RowloomError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told
