"""Training jobs as the caller sees them: submitting, watching, logs, values. Never assumes that a job is a function."""

from sm_remote.jobs.attach import attach, list_jobs
from sm_remote.jobs.job import Job
from sm_remote.jobs.succession.history import Phase

__all__ = ["Job", "Phase", "attach", "list_jobs"]
