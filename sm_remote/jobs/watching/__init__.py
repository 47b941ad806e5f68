"""Which jobs have ended, learned with few questions; and how a caller waits for that."""
