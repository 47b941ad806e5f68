"""The hosts of a job: what this machine gives each, and what stands beside its container."""
