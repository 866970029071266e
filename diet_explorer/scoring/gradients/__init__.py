"""Exact per-example gradient norms in one pass."""
