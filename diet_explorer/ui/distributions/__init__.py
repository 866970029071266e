"""Score distributions, stability, comparisons of scores and runs."""
