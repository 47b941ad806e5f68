"""Runs functions with the SDK v2's @remote and RemoteExecutor."""

import json
import os
import sys

import sagemaker
from sagemaker.remote_function import RemoteExecutor, remote

settings = {
    "image_uri": sys.argv[1],
    "role": os.environ["ROLE"],
    "instance_type": "ml.m5.large",
    "s3_root_uri": f"s3://{os.environ['BUCKET']}/remote",
    "sagemaker_session": sagemaker.Session(default_bucket=os.environ["BUCKET"]),
}


@remote(**settings)
def divide(x, y):
    print(f"dividing {x} by {y}")
    return x / y


def square(x):
    return x * x


found = {"quotient": divide(10, 4)}
with RemoteExecutor(max_parallel_jobs=2, **settings) as executor:
    fine, failed = executor.submit(square, 7), executor.submit(divide.wrapped_func, 1, 0)
    found["square"] = fine.result()
    try:
        failed.result()
    except ZeroDivisionError as error:
        found["error"] = f"{type(error).__name__}: {error}"
print("FOUND " + json.dumps(found))
