"""Checkpoints that survive an interruption: whole or not there, in a job and outside of one. Travels into jobs."""
