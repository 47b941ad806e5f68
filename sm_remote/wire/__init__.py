"""What client and job must agree on: digests, files, manifest and paths. Standard library and cloudpickle only."""
