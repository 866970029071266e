"""What only the help page needs: the packaged documentation, made readable in the app."""
