"""The command line: one file per noun."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Entry point of ``diet-explorer``."""
    try:
        from diet_explorer.cli.app import main as run
    except KeyboardInterrupt:  # Ctrl-C while the program is being loaded
        sys.exit(INTERRUPTED)
    run()
