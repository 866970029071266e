"""The process that pushes one export to the Hub: ``python -m diet_explorer.jobs.push_process``, the request on stdin.

The request holds the token, which therefore stands on no disk, in no list of processes and in no environment. What
comes of the push stands in its status file.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from diet_explorer.config import Settings, load_settings
from diet_explorer.errors import DietExplorerError
from diet_explorer.jobs.push_progress import REPORT_SECONDS, PushFiles, PushProgress
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.hub import HubPush, Pushed, fetch_export, found_token
from diet_explorer.pruning.export.writing import is_remote
from diet_explorer.store.files import Files

STOP_POLL_SECONDS = 0.25


class Teller:
    """Writes down how the push is going, at most twice a second, and ends the process when somebody asks for it.

    Ending at once is safe: until the commit nothing on the Hub is changed. The commit itself is let come to its end.

    Parameters
    ----------
    files : PushFiles
    progress : PushProgress
        As it is at the start.
    """

    def __init__(self, files: PushFiles, progress: PushProgress) -> None:
        self._files = files
        self._progress = progress
        self._last_write = float("-inf")
        self._writing = threading.Lock()
        self._over = False
        self.committing = threading.Lock()

    def report(self, stage: str, sent: int, total: int) -> None:
        """Tell what is happening; `total` 0 leaves the earlier one."""
        with self._writing:
            now, begun = time.monotonic(), self._progress
            self._progress = replace(begun, stage=stage, bytes_sent=sent, bytes_total=total or begun.bytes_total)
            if now - self._last_write >= REPORT_SECONDS and not self._over:
                self._last_write = now
                self._files.save(self._progress)

    def end(self, **facts: Any) -> None:
        """Write down how it ended; nothing is written after that."""
        with self._writing:
            self._over = True
            finished = datetime.now(UTC).isoformat(timespec="seconds")
            self._files.save(replace(self._progress, finished_at=finished, **facts))

    def watch(self) -> None:
        """Look out for the wish to stop, in a thread of its own."""
        while not self._over:
            if self._files.is_asked_to_stop():
                with self.committing:
                    if not self._over:
                        self.end(state="cancelled", stage="")
                os._exit(0)
            time.sleep(STOP_POLL_SECONDS)


class _Committing:
    """Holds off the end of the process from the commit on; given back only if the commit was refused."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._lock.release()


def main() -> NoReturn:
    """Read the request, push, and write down how it ended."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    settings = load_settings(home=request["home"], scratch=request["scratch"])
    files = PushFiles(settings, Files(request["home"]), request["export_id"])
    teller = Teller(files, PushProgress("running", request["repo"], request["private"]))
    threading.Thread(target=teller.watch, daemon=True).start()
    token = request["token"] or ""
    try:
        token = found_token(request["token"])
        with _local_export(settings, request, teller) as folder:
            pushed: Pushed = HubPush(
                folder,
                request["repo"],
                private=request["private"],
                token=token,
                proof=CardProof(**request["proof"]),
                report=teller.report,
                committing=_Committing(teller.committing),
            ).run()
        teller.end(state="done", stage="", url=pushed.url, commit=pushed.commit, private=pushed.private)
    except DietExplorerError as error:
        _log(error, token)
        teller.end(state="failed", error=error.message, remedy=error.remedy, kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001  told to the user, with the details in the log
        _log(error, token)
        words = f"The push met an error that was not foreseen ({type(error).__name__})."
        teller.end(state="failed", error=words, remedy="The push's log has the details.", kind="HubError")
    sys.stderr.flush()
    os._exit(0)  # at once: whoever pushes next waits for the lock


@contextmanager
def _local_export(settings: Settings, request: dict[str, Any], teller: Teller) -> Iterator[Path]:
    """The export's folder; of one that lies elsewhere a copy, which is gone at the end."""
    if not is_remote(request["folder"]):
        yield Path(request["folder"])
        return
    teller.report("Fetching", 0, 0)
    copy = settings.scratch_folder / "fetched" / request["export_id"]
    shutil.rmtree(copy, ignore_errors=True)  # of a push that was cut off
    try:
        yield fetch_export(Files(request["home"]), request["folder"], copy)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _log(error: Exception, token: str) -> None:
    """Write the details to the process's output, which is the push's log."""
    text = "".join(traceback.format_exception(error))
    sys.stderr.write(text.replace(token, "***") if token else text)


if __name__ == "__main__":
    main()
