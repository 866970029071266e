"""The library's front door: a workspace, its datasets, its runs."""
