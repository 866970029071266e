"""Saves the tiny model; in a process that has loaded torch, so that whoever wants the model need not."""

import sys
from pathlib import Path

from tests.tiny_runs import save_tiny_model

if __name__ == "__main__":
    save_tiny_model(Path(sys.argv[1]))
