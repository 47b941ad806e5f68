"""The example of the SageMaker SDK's documentation, unchanged but for its import line.

There it reads ``from sagemaker.remote_function import remote``.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/train-remote-decorator-invocation.html
"""

from sm_remote import remote


@remote(instance_type="ml.m5.large")
def divide(x, y):
    print(f"Calculating {x}/{y}")
    return x / y


if __name__ == "__main__":
    assert divide(10, 5) == 2

    # The exception of the job is raised here, as itself, with the line that raised it.
    divide(2, 0)
