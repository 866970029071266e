"""Set up a run, follow it, list runs."""
