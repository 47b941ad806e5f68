"""The engine that runs containers of the Docker daemon."""
