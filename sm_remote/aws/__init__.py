"""The only place that spells AWS: sessions, requests, responses, logs and the limits of the API."""
