"""The shell: one verb, one call of the Python function of that name."""


def main() -> None:
    """Run the shell."""
