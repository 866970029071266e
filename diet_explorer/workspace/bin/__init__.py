"""Deleting, renaming, bringing back, cleaning up: one machinery for all kinds of things of a workspace."""
