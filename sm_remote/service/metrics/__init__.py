"""Metrics as series on disk: those of a job's log, and what its containers use of this machine."""
