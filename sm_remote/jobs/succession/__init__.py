"""The training jobs that one call is, one after the other: what follows which, and what became of each."""
