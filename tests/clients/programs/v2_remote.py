"""Runs functions with the SDK v2's @remote and RemoteExecutor."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

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


found = {}
# All at once: each looks at its job every half minute.
with ThreadPoolExecutor() as pool, RemoteExecutor(max_parallel_jobs=2, **settings) as executor:
    quotient = pool.submit(divide, 10, 4)
    fine, failed = executor.submit(square, 7), executor.submit(divide.wrapped_func, 1, 0)
    found["quotient"] = quotient.result()
    found["square"] = fine.result()
    try:
        failed.result()
    except ZeroDivisionError as error:
        found["error"] = f"{type(error).__name__}: {error}"
print("FOUND " + json.dumps(found))
