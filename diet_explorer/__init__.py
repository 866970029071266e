"""Score every example of a text-classification set while a transformer learns it."""
