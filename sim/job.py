"""What :mod:`rowloom.sim.tb_accelerator` is asked to do, and what it did: two JSON files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["ENVIRONMENT", "PERIOD", "Job", "Outcome", "Phase"]

#: Environment variable that tells the test module inside the simulator where its job lies.
ENVIRONMENT = "ROWLOOM_SIM_JOB"

#: Steps of simulated time in a clock cycle. Clock edge number n is at time n * PERIOD.
PERIOD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Images for one program.

    Parameters
    ----------
    load : str
        ``.npy`` file of the unsigned payloads that bring the program, empty if it is there.
    beats : str
        ``.npy`` file of unsigned payloads [N, beats of an image], in the order they are sent.
    output_beats : int
        Beats that an image gives.
    stream : str
        ``.npy`` file of the unsigned payloads that bring weights for every image, empty if none come.
    interval : int
        Cycles from one of these to the next.
    """

    load: str
    beats: str
    output_beats: int
    stream: str = ""
    interval: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Images to stream through an accelerator.

    Parameters
    ----------
    phases : list of Phase
        One after the other, without a reset between.
    stalls : bool
        Whether all ends pause at random.
    seed : int
    limit : int
        Clock cycles after which the run is given up.
    idle : int
        Clock cycles to go on after the last expected beat, to see that no further one comes.
    outcome : str
        File for the :class:`Outcome`.
    progress : str
        File to which a byte is added for every image that is done.
    """

    phases: list[Phase]
    stalls: bool
    seed: int
    limit: int
    idle: int
    outcome: str
    progress: str

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "Job":
        given = json.loads(path.read_text())
        return cls(**given | {"phases": [Phase(**phase) for phase in given["phases"]]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out of the accelerator.

    Parameters
    ----------
    finished : bool
        Whether every image was answered within the limit.
    sent : int
        Input beats that the accelerator took, when the run ended.
    outputs : list of [payload, cycle]
        Output beats in order.
    surplus : int
        Beats that came after the last expected one.
    violations : list of str
        Broken rules of the output stream.
    cycles : int
        Clock cycles simulated.
    seconds : float
        Time that took, without starting the simulator.
    """

    finished: bool
    sent: int
    outputs: list[list[int]]
    surplus: int
    violations: list[str]
    cycles: int
    seconds: float

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "Outcome":
        return cls(**json.loads(path.read_text()))
