"""Trains by boto3 alone, as on AWS."""

import os
import sys

import boto3

image, name = sys.argv[1:]
bucket = os.environ["BUCKET"]
sagemaker, logs, s3 = (boto3.client(service) for service in ("sagemaker", "logs", "s3"))
print("account", boto3.client("sts").get_caller_identity()["Account"])
arn = sagemaker.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    RoleArn=os.environ["ROLE"],
    HyperParameters={"epochs": "2"},
    InputDataConfig=[
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data/"}},
        }
    ],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/boto3"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    StoppingCondition={"MaxRuntimeInSeconds": 300},
    Tags=[{"Key": "team", "Value": "vision"}],
)["TrainingJobArn"]
waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
print(sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"])

group = "/aws/sagemaker/TrainingJobs"
(stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)["events"]
for event in events:
    if not event["message"].startswith("sm_remote:"):
        print(event["message"])
for found in s3.list_objects_v2(Bucket=bucket, Prefix=f"boto3/{name}/")["Contents"]:
    print(found["Key"].rpartition("/")[2])
print("tags", {each["Key"]: each["Value"] for each in sagemaker.list_tags(ResourceArn=arn)["Tags"]})
