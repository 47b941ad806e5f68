"""CloudWatch's metrics of training jobs, as boto3 sees them."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone

import boto3
import botocore.loaders
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sm_remote.home import Home
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until

NAMESPACE = "/aws/sagemaker/TrainingJobs"
DEFINITIONS = [{"Name": "loss", "Regex": "loss=([^ ]+)"}, {"Name": "train:acc", "Regex": "#011acc:([0-9.]+)"}]
LINES = ["loss=4.0", "loss=3.0 loss=2.0", "[1]\tacc:0.5", "loss=nan loss=x", "[2]\tacc:0.75", "nothing"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A job that has ended, with metrics of its own, and one that runs on two hosts."""
    directory = tmp_path_factory.mktemp("metrics")
    go = threading.Event()

    def play(container) -> int:
        if "live" in container.spec.name:
            go.wait(120)
            return 0
        for line in LINES:
            container.print(line)
        return 0

    with serve(Home(data=directory, cache=directory / "cache"), FakeEngine(play)) as discovery:
        client = make_client(discovery)
        algorithm = {"MetricDefinitions": DEFINITIONS}
        client.create_training_job(**build_request("fit-1", AlgorithmSpecification=algorithm))
        wait_for_end(client, "fit-1")
        client.create_training_job(**build_request("live-1", ResourceConfig={"InstanceCount": 2}))
        yield discovery
        go.set()
        wait_for_end(client, "live-1")


@pytest.fixture(scope="module")
def older_models(tmp_path_factory):
    """botocore's model of CloudWatch as it was when its clients spoke the query protocol."""
    directory = tmp_path_factory.mktemp("models") / "cloudwatch" / "2010-08-01"
    directory.mkdir(parents=True)
    model = botocore.loaders.Loader().load_service_model("cloudwatch", "service-2")
    metadata = {**model["metadata"], "protocol": "query", "protocols": ["query"]}
    del metadata["awsQueryCompatible"]
    (directory / "service-2.json").write_text(json.dumps({**model, "metadata": metadata}))
    return directory.parents[1]


@pytest.fixture(params=["json", "query"])
def cloudwatch(request, served, older_models):
    """A client of today, and one of before 2025."""
    if request.param == "json":
        return make_client(served, "cloudwatch")
    session = boto3.Session()
    loader = session._session.get_component("data_loader")
    loader.search_paths.insert(0, str(older_models))
    client = session.client(
        "cloudwatch",
        endpoint_url=served.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=served.access_key,
        aws_secret_access_key=served.secret_key,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    assert client.meta.service_model.resolved_protocol == "query"
    return client


def times() -> dict[str, datetime]:
    now = datetime.now(timezone.utc)
    return {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}


def query(
    name: str, value: str, *, dimension: str = "TrainingJobName", stat: str = "Average", period: int = 60
) -> dict:
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Dimensions": [{"Name": dimension, "Value": value}],
    }
    return {"Id": "q", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def values(cloudwatch, *queries: dict, **options) -> list[float]:
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, **times(), **options)
    return [value for result in answer["MetricDataResults"] for value in result["Values"]]


def test_every_finite_match_in_the_log_is_a_datapoint(cloudwatch):
    assert sum(values(cloudwatch, query("loss", "fit-1", stat="SampleCount"))) == 3
    assert sum(values(cloudwatch, query("loss", "fit-1", stat="Sum"))) == 9.0
    assert max(values(cloudwatch, query("train:acc", "fit-1", stat="Maximum"))) == 0.75


def test_the_final_values_of_describe_are_the_last_datapoints(served):
    description = make_client(served).describe_training_job(TrainingJobName="fit-1")
    found = {metric["MetricName"]: metric["Value"] for metric in description["FinalMetricDataList"]}
    assert found == {"loss": 2.0, "train:acc": 0.75}


def test_get_metric_statistics_has_every_statistic_that_is_asked_for(cloudwatch):
    answer = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "fit-1"}],
        Period=3600,
        Statistics=["Average", "Minimum", "Maximum", "SampleCount", "Sum"],
        **times(),
    )
    assert answer["Label"] == "loss"
    assert sum(point["SampleCount"] for point in answer["Datapoints"]) == 3
    assert min(point["Minimum"] for point in answer["Datapoints"]) == 2.0
    assert answer["Datapoints"][0]["Unit"] == "None"
    percentile = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "fit-1"}],
        Period=3600,
        ExtendedStatistics=["p100"],
        **times(),
    )
    assert max(point["ExtendedStatistics"]["p100"] for point in percentile["Datapoints"]) == 4.0


def test_what_a_running_container_uses_is_there_by_host_in_percent(cloudwatch):
    for host in ("live-1/algo-1", "live-1/algo-2"):
        wait_until(lambda host=host: values(cloudwatch, query("CPUUtilization", host, dimension="Host")))
    memory = values(cloudwatch, query("MemoryUtilization", "live-1/algo-1", dimension="Host"))
    assert memory[0] == pytest.approx(12.5)  # 1 of the 8 GiB of an ml.m5.large
    assert 0 < values(cloudwatch, query("DiskUtilization", "live-1/algo-1", dimension="Host"))[0] <= 100
    assert values(cloudwatch, query("GPUUtilization", "live-1/algo-1", dimension="Host")) == []


def test_metrics_are_listed_with_their_dimensions(cloudwatch):
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE, Dimensions=[{"Name": "TrainingJobName"}])["Metrics"]
    assert [(each["MetricName"], each["Dimensions"][0]["Value"]) for each in listed] == [
        ("loss", "fit-1"),
        ("train:acc", "fit-1"),
    ]
    host = [{"Name": "Host", "Value": "live-1/algo-1"}]
    names = wait_until(lambda: cloudwatch.list_metrics(Namespace=NAMESPACE, Dimensions=host)["Metrics"])
    assert {each["MetricName"] for each in names} <= {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}
    assert cloudwatch.list_metrics(Namespace="AWS/EC2")["Metrics"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("loss", "none"), ("none", "fit-1"), ("loss", "../x"), ("loss", "fit-1/algo-1")]
)
def test_a_metric_that_is_not_there_has_no_datapoints(cloudwatch, name, value):
    assert values(cloudwatch, query(name, value)) == []
    assert values(cloudwatch, query(name, value, dimension="Host")) == []


def test_datapoints_come_in_pages_newest_first_unless_asked_otherwise(served, cloudwatch):
    series = make_client(served).describe_training_job(TrainingJobName="fit-1")
    start = series["TrainingStartTime"] - timedelta(minutes=1)
    one = {**query("loss", "fit-1", stat="SampleCount", period=1), "Id": "a"}
    two = {**query("train:acc", "fit-1", stat="SampleCount", period=1), "Id": "b"}
    options = {"MetricDataQueries": [one, two], "StartTime": start, "EndTime": start + timedelta(hours=1)}
    whole = cloudwatch.get_metric_data(**options)
    assert [result["StatusCode"] for result in whole["MetricDataResults"]] == ["Complete", "Complete"]
    assert "NextToken" not in whole
    read: dict[str, list[float]] = {"a": [], "b": []}
    token: dict[str, str] = {}
    while True:
        page = cloudwatch.get_metric_data(**options, MaxDatapoints=1, **token)
        for result in page["MetricDataResults"]:
            read[result["Id"]] += result["Values"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert read == {result["Id"]: result["Values"] for result in whole["MetricDataResults"]}
    for scan in ("TimestampAscending", "TimestampDescending"):
        stamps = cloudwatch.get_metric_data(**options, ScanBy=scan)["MetricDataResults"][0]["Timestamps"]
        assert stamps == sorted(stamps, reverse=scan == "TimestampDescending")


@pytest.mark.parametrize(
    ("altered", "code", "words"),
    [
        ({"MetricDataQueries": [{"Id": "q", "Expression": "SUM(METRICS())"}]}, "ValidationError", "no metric math"),
        ({"MetricDataQueries": [query("loss", "fit-1", period=7)]}, "InvalidParameterValue", "multiple of 60"),
        ({"MetricDataQueries": [query("loss", "fit-1", stat="tm99")]}, "InvalidParameterValue", "tm99"),
        ({"MetricDataQueries": [query("loss", "fit-1")] * 2}, "ValidationError", "one Id"),
        ({"EndTime": datetime(2020, 1, 1, tzinfo=timezone.utc)}, "ValidationError", "StartTime must be less"),
        ({"NextToken": "x"}, "InvalidNextToken", "invalid"),
    ],
)
def test_what_is_not_served_is_refused(cloudwatch, altered, code, words):
    options = {"MetricDataQueries": [query("loss", "fit-1")], **times(), **altered}
    with pytest.raises(ClientError, match=words) as caught:
        cloudwatch.get_metric_data(**options)
    assert caught.value.response["Error"]["Code"] == code


def test_the_signature_must_be_for_cloudwatch(served):
    with pytest.raises(ClientError) as caught:
        make_client(served, "cloudwatch", secret_key="wrong").list_metrics()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_series_go_with_their_job(tmp_path):
    home = Home(data=tmp_path / "home", cache=tmp_path / "home" / "cache")
    engine = FakeEngine(lambda container: container.print("loss=1") or 0)
    with serve(home, engine) as discovery:
        client = make_client(discovery)
        client.create_training_job(**build_request(AlgorithmSpecification={"MetricDefinitions": DEFINITIONS}))
        wait_for_end(client, "fit-1")
        assert list((home.logs / "fit-1").glob("*.points"))
        client.delete_training_job(TrainingJobName="fit-1")
        wait_until(lambda: not (home.logs / "fit-1").exists())
        assert make_client(discovery, "cloudwatch").list_metrics()["Metrics"] == []


def test_a_job_is_not_held_up_by_an_engine_that_does_not_tell_its_usage(tmp_path):
    asked = threading.Event()

    class Slow(FakeEngine):
        def read_usage(self, name: str) -> None:
            asked.wait(120)

    with serve(Home(data=tmp_path / "home", cache=tmp_path / "cache"), Slow()) as discovery:
        client = make_client(discovery)
        client.create_training_job(**build_request())
        assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
        asked.set()


def test_an_operation_that_is_not_served_is_named_in_either_protocol(cloudwatch):
    with pytest.raises(ClientError, match="does not implement the operation DescribeAlarms") as caught:
        cloudwatch.describe_alarms()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_limits_of_the_model_are_kept_in_either_protocol(cloudwatch):
    with pytest.raises(ClientError, match="'namespace' failed to satisfy constraint"):
        cloudwatch.list_metrics(Namespace=":x")


@pytest.mark.service
def test_a_service_that_is_killed_neither_loses_datapoints_nor_counts_one_twice(service, tmp_path):
    go = tmp_path / "go"
    code = f"echo loss=1; echo loss=2; echo loss=3; while [ ! -e {go} ]; do sleep 0.05; done; echo loss=4"
    algorithm = {
        "ContainerEntrypoint": ["/bin/sh", "-c"],
        "ContainerArguments": [code],
        "MetricDefinitions": DEFINITIONS,
    }
    discovery = service.start()
    make_client(discovery).create_training_job(**build_request(AlgorithmSpecification=algorithm))
    count = query("loss", "fit-1", stat="SampleCount", period=3600)
    wait_until(lambda: sum(values(make_client(discovery, "cloudwatch"), count)) == 3)
    service.kill()
    go.touch()
    discovery = service.start()
    assert wait_for_end(make_client(discovery), "fit-1")["FinalMetricDataList"][0]["Value"] == 4.0
    assert sum(values(make_client(discovery, "cloudwatch"), count)) == 4
    assert (
        sum(
            values(
                make_client(discovery, "cloudwatch"), {**count, "MetricStat": {**count["MetricStat"], "Stat": "Sum"}}
            )
        )
        == 10
    )
