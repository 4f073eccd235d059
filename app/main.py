"""The command line ``penstock``: one verb per file in `app.commands`."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from app.exit_codes import INTERRUPTED, USAGE, exit_code_of
from app.summaries import SUMMARIES
from engine.errors import EngineError

__all__ = ("main", "make_app", "make_overview")

_COMPLETE = "_PENSTOCK_COMPLETE"

_VERBS = {
    "gui": "app.commands.gui:gui_command",
    "run": "app.commands.run:run_command",
    "batch": "app.commands.batch:batch_command",
    "demo": "app.commands.demo:demo_command",
    "serve": "app.commands.serve:serve_command",
    "compile": "app.commands.compile:compile_command",
    "inspect": "app.commands.inspect:inspect_command",
    "bench": "app.commands.bench:bench_command",
    "tune": "app.commands.tune:tune_command",
    "devices": "app.commands.devices:devices_command",
    "plugins": "app.commands.plugins:plugins_command",
    "exec": "app.commands.exec:exec_command",
    "drivers": "app.commands.drivers:drivers_command",
    "license": "app.commands.license:license_app",
    "manager": "app.commands.manager:manager_app",
    "doctor": "app.commands.doctor:doctor_command",
}

# typer carries its own copy of click, or uses the installed one, depending on its version.
_UsageProblem: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def make_app(verbs: Sequence[str] = tuple(_VERBS)) -> typer.Typer:
    """Put verbs together; only their modules are imported."""
    app = _empty_app()
    for verb in verbs:
        _add_verb(app, verb)
    return app


def make_overview() -> typer.Typer:
    """Put stand-ins together that know what their verb does; for the list of verbs."""
    app = _empty_app()
    for verb in _VERBS:
        if verb in SUMMARIES:
            app.command(verb, help=SUMMARIES[verb])(_stand_in)
        else:
            _add_verb(app, verb)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors become one line on stderr and an exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # The verb that is asked for is enough: the window must not wait for the compiler's imports.
    verb = next(iter(_completed_words() if _COMPLETE in os.environ else given), "")
    command = typer.main.get_command(make_app([verb]) if verb in _VERBS else make_overview())
    try:
        outcome = command.main(args=given, prog_name="penstock", standalone_mode=False)
    except EngineError as error:
        print(f"penstock: {error}", file=sys.stderr)
        return exit_code_of(error)
    except typer.Abort:
        return INTERRUPTED
    except _UsageProblem as error:
        told = getattr(error, "format_message", error.__str__)().rstrip(".")  # names the option
        print(f"penstock: {told}; 'penstock --help' lists what there is", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return outcome if isinstance(outcome, int) else 0


def _completed_words() -> list[str]:
    """Return what stands on the line that a shell wants completed, without the program's name."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def _empty_app() -> typer.Typer:
    app = typer.Typer(
        name="penstock",
        help="Run compiled neural networks on many live streams and see where the time goes.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_nothing)
    return app


def _add_verb(app: typer.Typer, verb: str) -> None:
    module, _, name = _VERBS[verb].partition(":")
    command = getattr(import_module(module), name)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=verb)
    else:
        settings = getattr(command, "context_settings", None)
        app.command(verb, context_settings=settings)(command)


def _stand_in() -> None:
    """Stand for a verb in the list of verbs."""


def _nothing() -> None:
    """Run compiled neural networks on many live streams and see where the time goes."""


if __name__ == "__main__":
    sys.exit(main())
