"""Where objects lie: the embedded store and buckets of S3."""
