"""Checkpoints of a host's container: restored, kept in step with S3, flushed."""
