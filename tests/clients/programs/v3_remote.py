"""Runs functions with the SDK v3's @remote."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.remote_function import remote


@remote(
    image_uri=sys.argv[1],
    role=os.environ["ROLE"],
    instance_type="ml.m5.large",
    s3_root_uri=f"s3://{os.environ['BUCKET']}/remote",
    sagemaker_session=Session(default_bucket=os.environ["BUCKET"]),
)
def divide(x, y):
    print(f"dividing {x} by {y}")
    return x / y


# Both at once: a call looks at its job every half minute.
with ThreadPoolExecutor() as pool:
    fine, failed = pool.submit(divide, 10, 4), pool.submit(divide, 1, 0)
found = {"quotient": fine.result()}
try:
    failed.result()
except ZeroDivisionError as error:
    found["error"] = f"{type(error).__name__}: {error}"
print("FOUND " + json.dumps(found))
