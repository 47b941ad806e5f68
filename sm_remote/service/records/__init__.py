"""What the service remembers of jobs, and the database that it is kept in."""
