"""Durable background jobs: what a job does, the queue it waits in, and the processes that do it."""
