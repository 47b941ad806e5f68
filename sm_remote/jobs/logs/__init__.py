"""A job's log: read from its streams as lines, and shown as text in which nothing acts."""
