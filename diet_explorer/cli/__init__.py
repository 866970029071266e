"""The command line: one file per noun."""

import signal
import sys


def main() -> None:
    """Entry point of ``diet-explorer``."""
    try:
        from diet_explorer.cli.app import main as run
    except KeyboardInterrupt:  # Ctrl-C while the program is being loaded
        sys.exit(128 + signal.SIGINT)
    run()
