"""The command line as a whole: its commands, and its errors as exit codes.

Heavy imports wait until a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from diet_explorer import __version__
from diet_explorer.cli import (
    audit,
    audit_log,
    backup,
    data,
    elsewhere,
    maps,
    proofs,
    prune,
    push,
    rank,
    review,
    runs,
    schema,
    score,
    serve,
    tidy,
)
from diet_explorer.cli import output as out
from diet_explorer.cli.careful import CarefulCommand
from diet_explorer.errors import DietExplorerError
from diet_explorer.store.private import keep_new_files_private

app = typer.Typer(
    name="diet-explorer",
    help="Score every example of a text-classification set while a transformer learns it.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run one command; errors become one line with a remedy and an exit code, never a traceback."""
    out.prepare_streams()
    try:
        keep_new_files_private()
        status = app(sys.argv[1:] or ["--help"], prog_name="diet-explorer", standalone_mode=False)
    except DietExplorerError as error:
        out.print_known(error)
        status = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        status = _nobody_reads()
    except Exception as error:  # noqa: BLE001  reported with a file that holds the traceback
        status = _explain(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = _nobody_reads()
    except OSError as error:  # such as a full disk behind a redirection
        _nobody_reads()
        status = _explain(error)
    sys.exit(status if isinstance(status, int) else 0)


def _nobody_reads() -> int:
    """Whoever read the output, such as `head`, has had enough; Python must not complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _explain(error: Exception) -> int:
    usage = getattr(error, "format_message", None)  # typer's own errors, whichever of its modules they come from
    if usage is not None:
        out.print_error(str(usage()), "See diet-explorer --help, or --help after the command.")
        return 2
    if isinstance(error, OSError) and error.strerror is not None:
        name, reason = error.filename or "where the output goes", error.strerror.lower()
        out.print_error(f"Cannot use {name}: {reason}.", "Check the path, the rights to it and the space there.")
        return 1
    if isinstance(error, UnicodeEncodeError) and not sys.flags.utf8_mode:
        text = error.object.encode("utf-8", "backslashreplace").decode()
        out.print_error(
            f"This system's encoding ({sys.getfilesystemencoding()}) has not all characters of {text!r}.",
            "Set PYTHONUTF8=1 or a locale such as LC_ALL=C.UTF-8, and start again.",
        )
        return 1
    out.print_unexpected(error, [Path.home() / ".cache" / "diet-explorer"])
    return 1


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print_line(f"diet-explorer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Score every example of a text-classification set while a transformer learns it."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "app": serve.app_command,
    "import": data.import_command,
    "score": score.score_command,
    "runs": runs.runs_command,
    "status": runs.status_command,
    "workers": runs.workers_command,
    "cancel": runs.cancel_command,
    "resume": runs.resume_command,
    "scores": runs.scores_command,
    "rank": rank.rank_command,
    "stability": rank.stability_command,
    "compare": rank.compare_command,
    "prune": prune.prune_command,
    "exports": prune.exports_command,
    "suspects": audit.suspects_command,
    "folds": audit.folds_command,
    "noise-check": audit.noise_command,
    "push": push.push_command,
    "prove": proofs.prove_command,
    "proof": proofs.proof_command,
    "proofs": proofs.proofs_command,
    "decide": review.decide_command,
    "undo": review.undo_command,
    "agreement": review.agreement_command,
    "send-to": elsewhere.send_command,
    "take-back": elsewhere.take_command,
    "export-cartography": rank.export_cartography_command,
    "import-cartography": rank.import_cartography_command,
    "map": maps.map_command,
    "rename": tidy.rename_command,
    "delete": tidy.delete_command,
    "restore": tidy.restore_command,
    "bin": tidy.bin_command,
    "clean": tidy.clean_command,
    "backup": backup.backup_command,
    "move": backup.move_command,
    "upgrade": backup.upgrade_command,
    "audit-log": audit_log.audit_log_command,
    "worker": serve.worker_command,
    "schema": schema.schema_command,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=CarefulCommand)(_command)
app.add_typer(review.decisions_app, name="decisions")
