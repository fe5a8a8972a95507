import json
import re

import pytest

from rowloom.cli import main
from tests.rowloom.networks import small_network


@pytest.fixture
def small(tmp_path):
    """File of a small network."""
    path = tmp_path / "small.rowloom"
    small_network().save(path)
    return str(path)


class Ran:
    """What a verb did."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def error(self):
        """The one line of an error, without its head."""
        lines = [line for line in self.err.splitlines() if line.startswith("rowloom: error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0].removeprefix("rowloom: error: ")


@pytest.fixture
def shell(capsys):
    """Run a verb in this process."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(left.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(shell):
    """Run a verb that must be refused with exit status 2 and one line that matches."""

    def run(*arguments, match, status=2):
        ran = shell(*arguments)
        assert ran.status == status
        assert re.search(match, ran.error()), ran.error()

    return run
