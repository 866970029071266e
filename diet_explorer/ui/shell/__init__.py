"""What every page stands in: the URL's view, the picker, the context bar, errors, the running job."""
