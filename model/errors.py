"""Errors that a user can act on, each with the exit status of the shell."""


class RowloomError(ValueError):
    """Something the user gave is wrong; ``str(error)`` is the one line to print.

    Parameters
    ----------
    subject : str
        The file, layer, field or board that is wrong.
    problem : str
        What is wrong with it.
    remedy : str, optional
        What would be right.
    """

    exit_status = 2

    def __init__(self, subject: str, problem: str, remedy: str | None = None) -> None:
        self.subject = subject
        self.problem = problem
        self.remedy = remedy
        line = f"{subject}: {problem}" + (f", {remedy}" if remedy else "")
        # Names from damaged files hold anything, line feeds too.
        super().__init__("".join(each if each.isprintable() else ascii(each)[1:-1] for each in line))


class DoesNotFit(RowloomError):
    """An array or a network is larger than the device that it was meant for."""

    exit_status = 1


class CheckFailed(RowloomError):
    """A check ran and failed: values differ, or timing is not met."""

    exit_status = 1


class ToolMissing(RowloomError):
    """A program that the work needs is not installed."""
