"""Who may know whom: model <- hw <- {sim, boards} <- rowloom; and torch only where it is needed."""

import ast
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "model": {"model"},
    "hw": {"model", "hw"},
    "sim": {"model", "hw", "sim"},
    "boards": {"model", "hw", "boards"},
    "rowloom": {"model", "hw", "sim", "boards", "rowloom"},
}

TORCH_FILES = ("model/quant/", "model/nn/", "model/nets/", "model/training.py", "model/lowering/")


def sources(room):
    """Python files of a room; those of the door without the links to the rooms."""
    for path in sorted((ROOT / room).rglob("*.py")):
        if not any(parent.is_symlink() for parent in path.relative_to(ROOT).parents if (ROOT / parent).is_symlink()):
            yield path


def imported(path):
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module):
    """Room of a module, None for one that is not ours."""
    parts = module.split(".")
    if parts[0] != "rowloom":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else "rowloom"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_directions(room):
    files = list(sources(room))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imported(path)
        if room_of(module) is not None and room_of(module) not in MAY_IMPORT[room]
    ]
    assert not wrong


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_torch_only_where_it_is_needed(room):
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(room)
        if any(module.split(".")[0] == "torch" for module in imported(path))
        and not str(path.relative_to(ROOT)).startswith(TORCH_FILES)
    ]
    assert not wrong


def loaded_after(statement):
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import rowloom", {"torch", "amaranth", "numpy", "cocotb", "rich"}),
        ("import rowloom.cli.main, rowloom.cli.run, rowloom.door", {"torch", "amaranth", "cocotb", "rich"}),
        (
            "import rowloom; rowloom.compile, rowloom.ArrayConfig; import rowloom.hw.mapping.compile",
            {"torch", "amaranth"},
        ),
        ("import rowloom.boards.build, rowloom.sim", {"torch"}),
    ],
)
def test_imports_stay_light(statement, absent):
    assert not loaded_after(statement) & absent


def test_every_folder_with_python_is_packaged():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {"rowloom"}
    for room in MAY_IMPORT:
        for path in sources(room):
            parts = path.parent.relative_to(ROOT).parts
            there.add(".".join(parts if parts[0] == "rowloom" else ("rowloom", *parts)))
    assert there == listed


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    named = list(chain(project["dependencies"], *project["optional-dependencies"].values()))
    names = {requirement.split(">")[0].split("=")[0].strip().lower() for requirement in named}
    assert names <= pinned
    assert not [line for line in lines if line and not line.startswith("#") and "==" not in line]
