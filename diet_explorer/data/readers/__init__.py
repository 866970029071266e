"""Read sources row by row: one file per format."""
