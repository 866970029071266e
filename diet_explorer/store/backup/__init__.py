"""A copy of all of a workspace in one place: its files by their content, its tables as lines of JSON."""
