"""Pages of the documentation that follow from the code, and how mkdocs builds the site."""
