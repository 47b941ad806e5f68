"""The Python that a job gets: its image, chosen, built and pushed, and the layers of its packages."""
