"""Figures, colours and words of the pages and of notebooks, without a browser."""
