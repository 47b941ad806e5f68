"""The local training service: SageMaker's training-job API on 127.0.0.1, which really runs the jobs."""
