"""Trains with the SDK v3's ModelTrainer."""

import json
import logging
import os
import sys
from pathlib import Path

from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")  # its log comes by logging
bucket = os.environ["BUCKET"]
session = Session(default_bucket=bucket)
data = session.upload_data("data.csv", bucket, "v3/data")
trainer = ModelTrainer(
    training_image=sys.argv[1],
    role=os.environ["ROLE"],
    base_job_name="trainer",
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
    source_code=SourceCode(source_dir=str(Path(__file__).parent / "source3"), entry_script="script.py"),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/v3/out"),
    hyperparameters={"epochs": 3},
    sagemaker_session=session,
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=data)], wait=True, logs=True)
job = trainer._latest_training_job
found = {"job": job.training_job_name, "status": job.training_job_status}
print("FOUND " + json.dumps(found))
