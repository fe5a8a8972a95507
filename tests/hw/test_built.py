import json

import pytest

import rowloom
from rowloom.hw import ArrayConfig, Built
from rowloom.model.errors import RowloomError
from tests.hw.mapping.test_capacity import FULL

BUILT = Built(config=ArrayConfig(rows=6, cols=3, lanes=8, group=2, units=("multiply",), load_bits=8), hardware=FULL)


def test_survives_a_file(tmp_path):
    BUILT.save(tmp_path / "built.json")
    assert Built.load(tmp_path / "built.json") == BUILT


def test_manifest_of_an_emitted_accelerator_tells_what_was_built(tmp_path):
    design = rowloom.compile(rowloom.load("fashion-bnn"), ArrayConfig(rows=3, cols=2, lanes=8, load_bits=16))
    rowloom.emit(design, tmp_path / "out")
    assert Built.load(tmp_path / "out" / "manifest.json") == design.built


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is no JSON"),
        ("[]", "does not tell of an accelerator"),
        (json.dumps(BUILT.to_json() | {"schema": 7}), "is of version 7, need 1"),
        (json.dumps(BUILT.to_json() | {"hardware": {}}), "does not tell of an accelerator"),
    ],
)
def test_refuses_other_files(tmp_path, text, problem):
    path = tmp_path / "built.json"
    path.write_text(text)
    with pytest.raises(RowloomError, match=problem):
        Built.load(path)


def test_refuses_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RowloomError, match=r"cannot be read, name a manifest\.json"):
        Built.load(tmp_path / "none.json")
