"""The group of verbs, and how whatever goes wrong is told in one line."""

import importlib
import sys
import traceback
from collections.abc import Sequence

import click

from rowloom import __version__
from rowloom.model.errors import RowloomError

# Where each verb is; imported when it is typed, so that a light verb starts fast.
_VERBS = {
    "info": "rowloom.cli.info",
    "import": "rowloom.cli.import_",
    "run": "rowloom.cli.run",
    "export": "rowloom.cli.export",
    "compile": "rowloom.cli.compile",
    "emit": "rowloom.cli.emit",
    "sim": "rowloom.cli.sim",
    "build": "rowloom.cli.build",
    "boards": "rowloom.cli.boards",
    "train": "rowloom.cli.train",
}


class Verbs(click.Group):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of use."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, None if there is none of that name."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(_VERBS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a wrong one is told with the right ones."""
        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            raise RowloomError(args[0], "no such verb", f"verbs: {', '.join(_VERBS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="rowloom %(version)s")
@click.option("--verbose", is_flag=True, help="Give the traceback of an error.")
def cli(verbose: bool) -> None:
    """Quantized networks to FPGA accelerators, proved bit-exact.

    \b
    Example:
      rowloom sim fashion-bnn --rows 6 --cols 2 --lanes 32 --images 2
    """


def _usage_line(error: click.ClickException) -> str:
    """Return click's complaint in the form of ours: thing, what is wrong, what would be right."""
    context = getattr(error, "ctx", None)
    verb = context.command_path if context else "rowloom"
    message = " ".join(error.format_message().split()).rstrip(".")
    thing = verb
    if isinstance(error, click.NoSuchOption):
        thing, message = error.option_name, "no such option"
        if error.possibilities:
            return f"{thing}: {message}, perhaps {' or '.join(sorted(error.possibilities))}"
    elif isinstance(error, click.MissingParameter):
        thing, message = _parameter(error) or verb, "is missing"
    elif isinstance(error, click.BadParameter):
        thing = _parameter(error) or verb
        message = " ".join(error.message.split()).rstrip(".")
    elif isinstance(error, click.BadOptionUsage):
        thing = error.option_name
    elif isinstance(error, click.FileError):
        thing = error.ui_filename
    return f"{thing}: {message[:1].lower()}{message[1:]}, see {verb} -h"


def _parameter(error: click.BadParameter) -> str | None:
    """Return the option or argument that an error is about, as a user types it."""
    if error.param is None:
        return None
    if isinstance(error.param, click.Option):
        return error.param.opts[-1] if error.param.opts[-1].startswith("--") else error.param.opts[0]
    return error.param.make_metavar(error.ctx) if error.ctx else error.param.human_readable_name


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the shell and leave with its exit status: 0 fine, 1 a check failed, 2 bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    try:
        cli.main(arguments, prog_name="rowloom", standalone_mode=False)
    except RowloomError as error:
        sys.exit(_tell(str(error), error.exit_status, verbose))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        sys.exit(2)
    except click.ClickException as error:
        sys.exit(_tell(_usage_line(error), 2, verbose))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_tell("interrupted: nothing was written", 130, verbose))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
        sys.exit(141)
    except OSError as error:
        thing = error.filename or "system"
        sys.exit(_tell(f"{thing}: {(error.strerror or str(error)).lower()}", 2, verbose))
    except Exception as error:
        text = " ".join(str(error).split())
        sys.exit(_tell(f"internal: {type(error).__name__}: {text}, please report it with --verbose", 2, verbose))
    sys.exit(0)


def _tell(line: str, status: int, verbose: bool) -> int:
    """Print an error in one line, with the traceback before it if that was asked for; return the exit status."""
    if verbose:
        traceback.print_exc()
    click.echo(f"rowloom: error: {' '.join(line.split())}", err=True)
    return status
