"""Trains with the SDK v2's Estimator: an image that knows what to do, and one that is given a script."""

import json
import os
import sys
from pathlib import Path

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.session_settings import SessionSettings

algorithm_image, script_image = sys.argv[1:]
bucket = os.environ["BUCKET"]
# Otherwise the SDK asks S3 to encrypt the source archive with a key of KMS, which this S3 server has not got.
settings = SessionSettings(encrypt_repacked_artifacts=False)
session = sagemaker.Session(default_bucket=bucket, settings=settings)
data = session.upload_data("data.csv", bucket, "v2/data")


def train(image, **more):
    estimator = Estimator(
        image_uri=image,
        role=os.environ["ROLE"],
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=f"s3://{bucket}/v2/out",
        sagemaker_session=session,
        **more,
    )
    estimator.fit({"train": data}, logs="All")
    metrics = estimator.training_job_analytics.dataframe() if "metric_definitions" in more else None
    curve = None if metrics is None else metrics.to_dict("list")
    return {"curve": curve, "job": estimator.latest_training_job.name, "model": estimator.model_data}


found = [
    train(algorithm_image, hyperparameters={"epochs": 5}),
    train(
        script_image,
        entry_point="script.py",
        source_dir=str(Path(__file__).parent / "source"),
        hyperparameters={"epochs": 5, "model": "cnn", "batch-size": 8},
        metric_definitions=[{"Name": "loss", "Regex": r"loss=([0-9.]+)"}],
    ),
]
print("FOUND " + json.dumps(found))
