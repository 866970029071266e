"""The kinds of background jobs, one file each: what is asked for, how far it is, and the work."""
