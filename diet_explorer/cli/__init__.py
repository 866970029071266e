"""The command line: one file per noun."""


def main() -> None:
    """Entry point of ``diet-explorer``."""
    from diet_explorer.cli.app import main as run

    run()
