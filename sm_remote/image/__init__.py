"""Images as values: what a job's container image is made of, its Dockerfile and its key. Builds nothing.

The local service's engine builds them (`sm_remote.service.engines.docker.builds`);
`sm_remote.jobs.environments.built_images` asks it to.
"""

from sm_remote.image.definition import Image

__all__ = ["Image"]
