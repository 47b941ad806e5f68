"""What a job has come to: its value, its exception as itself, or the reason why there is neither."""
