"""``python -m diet_explorer.cli`` is ``diet-explorer``."""

from diet_explorer.cli import main

main()
