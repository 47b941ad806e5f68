"""Hypothesis strategies: CreateTrainingJob requests that SageMaker would take."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,29}", fullmatch=True)
VARIABLES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True)
TAGS = st.builds(lambda key: {"Key": key, "Value": ""}, NAMES)
EBS_TYPES = st.sampled_from(["ml.m5.large", "ml.c5.xlarge", "ml.p3.2xlarge"])
NVME_TYPES = st.sampled_from(["ml.g5.xlarge", "ml.r5d.large", "ml.p4d.24xlarge"])
URIS = st.builds("s3://{}/{}".format, NAMES, st.from_regex(r"[a-z0-9/_-]{0,40}", fullmatch=True))
METRICS = st.builds(lambda name: {"Name": name, "Regex": "x=(.*)"}, NAMES)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x85\u2028\u2029\0"), max_size=40)


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(
        lambda all_of_them: {key: value for each in all_of_them for key, value in each.items()}
    )


@st.composite
def channels(draw: st.DrawFn, groups: list[str]) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=20, unique=True)):
        mode = draw(st.sampled_from([None, "File", "FastFile", "Pipe"]))
        types = ["S3Prefix"] if mode == "FastFile" else ["S3Prefix", "ManifestFile", "AugmentedManifestFile"]
        data_type = draw(st.sampled_from(types))
        source = {"S3DataType": data_type, "S3Uri": draw(URIS)}
        if data_type == "AugmentedManifestFile":
            source["AttributeNames"] = draw(st.lists(NAMES, min_size=1, max_size=16))
        if groups:
            source["InstanceGroupNames"] = draw(st.lists(st.sampled_from(groups), max_size=5, unique=True))
        source |= draw(optional(S3DataDistributionType=st.sampled_from(["FullyReplicated", "ShardedByS3Key"])))
        channel = {"ChannelName": name, "DataSource": {"S3DataSource": source}}
        if mode:
            channel["InputMode"] = mode
        channel |= draw(
            optional(
                ContentType=st.just("text/csv"),
                CompressionType=st.sampled_from(["None", "Gzip"]),
                RecordWrapperType=st.sampled_from(["None", "RecordIO"]),
                ShuffleConfig=st.fixed_dictionaries({"Seed": st.integers(-(2**63), 2**63 - 1)}),
            )
        )
        found.append(channel)
    return found


@st.composite
def resources(draw: st.DrawFn, spot: bool) -> dict[str, Any]:
    if draw(st.booleans()):
        names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
        groups = [
            {"InstanceGroupName": name, "InstanceType": draw(EBS_TYPES), "InstanceCount": draw(st.integers(1, 9))}
            for name in names
        ]
        return {"InstanceGroups": groups, "VolumeSizeInGB": draw(st.integers(1, 1000))}
    built: dict[str, Any] = {"InstanceCount": draw(st.integers(1, 9))}
    if not spot and draw(st.booleans()):
        types = draw(st.lists(EBS_TYPES, min_size=1, max_size=5, unique=True))
        return {**built, "VolumeSizeInGB": 1, "InstancePreferences": [{"InstanceType": name} for name in types]}
    if draw(st.booleans()):
        built |= {"InstanceType": draw(EBS_TYPES), "VolumeSizeInGB": draw(st.integers(1, 1000))}
        built |= draw(optional(VolumeKmsKeyId=st.just("1234abcd-12ab-34cd-56ef-1234567890ab")))
    else:
        built |= {"InstanceType": draw(NVME_TYPES), **draw(optional(VolumeSizeInGB=st.integers(1, 1000)))}
    if not spot:
        built |= draw(optional(KeepAlivePeriodInSeconds=st.integers(0, 21600)))
    return built


@st.composite
def valid_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests that break no rule and no limit of the model, with any of the optional members."""
    spot = draw(st.booleans())
    runtime_s = draw(st.integers(1, 28 * 86400))
    stopping = {"MaxRuntimeInSeconds": runtime_s, **draw(optional(MaxPendingTimeInSeconds=st.integers(7200, 2419200)))}
    if spot:
        stopping["MaxWaitTimeInSeconds"] = runtime_s + draw(st.integers(0, 10**6))
    request: dict[str, Any] = {
        "TrainingJobName": draw(NAMES),
        "RoleArn": "arn:aws:iam::000000000000:role/service-role/fit",
        "AlgorithmSpecification": draw(
            joined(
                st.fixed_dictionaries(
                    {"TrainingImage": st.just("image:1"), "TrainingInputMode": st.sampled_from(["File", "Pipe"])}
                ),
                optional(
                    MetricDefinitions=st.lists(METRICS, max_size=40),
                    ContainerEntrypoint=st.lists(PLAIN, min_size=1, max_size=5),
                    ContainerArguments=st.lists(PLAIN, min_size=1, max_size=5),
                ),
            )
        ),
        "OutputDataConfig": {"S3OutputPath": draw(URIS), **draw(optional(CompressionType=st.just("NONE")))},
        "ResourceConfig": draw(resources(spot)),
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": spot,
    }
    groups = [group["InstanceGroupName"] for group in request["ResourceConfig"].get("InstanceGroups", ())]
    return request | draw(
        optional(
            InputDataConfig=channels(groups),
            HyperParameters=st.dictionaries(PLAIN, PLAIN, max_size=5),
            Environment=st.dictionaries(
                st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True), PLAIN, max_size=5
            ),
            CheckpointConfig=joined(
                st.fixed_dictionaries({"S3Uri": URIS}), optional(LocalPath=st.just("/opt/ml/checkpoints/deep"))
            ),
            RetryStrategy=st.fixed_dictionaries({"MaximumRetryAttempts": st.integers(1, 30)}),
            VpcConfig=st.just({"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}),
            Tags=st.lists(NAMES, max_size=50, unique=True).map(
                lambda keys: [{"Key": key, "Value": ""} for key in keys]
            ),
            ExperimentConfig=optional(ExperimentName=NAMES, TrialName=NAMES, RunName=NAMES),
            DebugHookConfig=st.just({"S3OutputPath": "s3://bucket/debug", "CollectionConfigurations": []}),
            ProfilerConfig=st.sampled_from(
                [{"DisableProfiler": True}, {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 500}]
            ),
            EnableNetworkIsolation=st.booleans(),
            EnableInterContainerTrafficEncryption=st.booleans(),
        )
    )
