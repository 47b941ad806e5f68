"""A job once more: replayed, compared with another, or put to the test of interruptions."""
