"""What a job leaves in S3 beside its outcome: model, output data and checkpoints."""
