"""Import a source, and see what the validation says of it."""
