"""The command `saddle`."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from saddle import settings
from saddle.commands import checkpoints, datasets, evaluating, jobs, reference, submitting, terminal, watching
from saddle.errors import ApiError, SaddleError, UnexpectedAnswer, Unreachable

USAGE, REFUSED, UNREACHABLE = 2, 3, 4


class Commands(TyperGroup):
    """Reports an error in a line or two, without a traceback, and with an exit code that scripts can use."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SaddleError as error:
            terminal.complain(str(error) + _hint(error))
            raise typer.Exit(_exit_code(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            terminal.complain(f"{error.strerror or error}: {error.filename or ''}")
            raise typer.Exit(USAGE) from error


def _exit_code(error: SaddleError) -> int:
    if isinstance(error, ApiError):
        return UNREACHABLE if error.status >= 500 else REFUSED
    return UNREACHABLE if isinstance(error, Unreachable | UnexpectedAnswer) else USAGE


def _hint(error: SaddleError) -> str:
    if not isinstance(error, ApiError) or error.status != 401:
        return ""
    chosen = settings.read()
    if chosen.api_key.get_secret_value():
        return "\nThe key in SADDLE_API_KEY is not one that this service knows."
    if chosen.key():
        return f"\nThe key in {chosen.api_key_file} is not this service's: set SADDLE_DATA_DIR or SADDLE_API_KEY."
    return f"\nNo key was sent: there is none in {chosen.api_key_file}. Set SADDLE_DATA_DIR or SADDLE_API_KEY."


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train generative adversarial networks on a Saddle service (SADDLE_URL, SADDLE_API_KEY).",
    epilog=(
        "Exit codes: 0 done (a watched job succeeded), 1 the watched job failed or diverged, 2 it was cancelled or the "
        "command line, the file or the environment is wrong, 3 the service refused, 4 the service is out of reach."
    ),
)

COMMANDS: dict[str, Callable[..., None]] = {
    "submit": submitting.submit,
    "watch": watching.watch,
    "list": jobs.list_,
    "show": jobs.show,
    "pause": jobs.pause,
    "resume": jobs.resume,
    "retry": jobs.retry,
    "fork": submitting.fork,
    "cancel": jobs.cancel,
    "delete": jobs.delete,
    "sample": checkpoints.sample,
    "evaluate": evaluating.evaluate,
    "compare": evaluating.compare,
    "pin": checkpoints.pin,
    "unpin": checkpoints.unpin,
    "logs": watching.logs,
    "presets": reference.presets,
    "figures": reference.figures,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(datasets.app, name="datasets")

if __name__ == "__main__":
    app()
