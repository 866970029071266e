"""Start a proof, follow it, read its results."""
