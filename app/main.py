"""The command line ``penstock``: one verb per file in `app.commands`."""

import sys
from collections.abc import Sequence

import typer

from app.commands.compile import compile_command
from app.commands.demo import demo_command
from app.commands.gui import gui_command
from app.commands.inspect import inspect_command
from app.commands.license import license_app
from app.commands.plugins import plugins_command
from app.commands.run import run_command
from app.commands.serve import serve_command
from app.exit_codes import INTERRUPTED, USAGE, exit_code_of
from engine.errors import EngineError

__all__ = ("main", "make_app")

# typer carries its own copy of click, or uses the installed one, depending on its version.
_UsageProblem: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def make_app() -> typer.Typer:
    """Put the verbs together."""
    app = typer.Typer(
        name="penstock",
        help="Run compiled neural networks on many live streams and see where the time goes.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
    )
    app.command("gui")(gui_command)
    app.command("run")(run_command)
    app.command("demo")(demo_command)
    app.command("serve")(serve_command)
    app.command("compile")(compile_command)
    app.command("inspect")(inspect_command)
    app.command("plugins")(plugins_command)
    app.add_typer(license_app, name="license")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors become one line on stderr and an exit code."""
    command = typer.main.get_command(make_app())
    try:
        outcome = command.main(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name="penstock",
            standalone_mode=False,
        )
    except EngineError as error:
        print(f"penstock: {error}", file=sys.stderr)
        return exit_code_of(error)
    except typer.Abort:
        return INTERRUPTED
    except _UsageProblem as error:
        print(f"penstock: {error}; 'penstock --help' lists what there is", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return outcome if isinstance(outcome, int) else 0


if __name__ == "__main__":
    sys.exit(main())
