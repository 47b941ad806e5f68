"""What looks like a secret is refused before it stands in a request, and ordinary values are not."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from sm_remote.errors import ConfigError
from sm_remote.settings.leaks import describe_secret, find_leak, refuse_leaks, refuse_leaks_of_commands

_DRAW = random.Random(7)


def _random(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_DRAW.choices(alphabet, k=length))


# Made here, so that no scanner of this repository takes them for real ones.
SECRETS = {
    "AWS access key": ("ID", "AK" + "IA" + _random(16, string.ascii_uppercase + "234567")),
    "AWS session key": ("X", "AS" + "IA" + _random(16, string.ascii_uppercase + "234567")),
    "AWS secret": ("AWS_SECRET_ACCESS_KEY", _random(38, string.ascii_letters + string.digits + "+/") + "a1"),
    "GitHub": ("X", "gh" + "p_" + _random(36)),
    "GitHub, fine-grained": ("X", "github" + "_pat_" + _random(82)),
    "GitLab": ("X", "gl" + "pat-" + _random(20)),
    "Hugging Face": ("X", "h" + "f_" + _random(34, string.ascii_letters)),
    "OpenAI": ("X", "s" + "k-proj-" + "A1" + _random(40)),
    "Anthropic": ("X", "s" + "k-ant-api03-" + "B2" + _random(80)),
    "Slack": ("X", "xo" + "xb-" + _random(12, string.digits) + "-" + _random(24)),
    "Google": ("X", "AI" + "za" + _random(35)),
    "Stripe": ("X", "s" + "k_live_" + _random(24)),
    "PyPI": ("X", "py" + "pi-AgEIcHlwaS5vcmc" + _random(60)),
    "npm": ("X", "np" + "m_" + _random(36)),
    "Databricks": ("X", "da" + "pi" + _random(32, "0123456789abcdef")),
    "JSON web token": ("X", "ey" + "J" + _random(30) + ".ey" + "J" + _random(60) + "." + _random(43)),
    "private key": ("X", "-----BEGIN " + "RSA PRIVATE KEY-----\nMII..."),
    "OpenSSH key": ("X", "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3..."),
    "database": ("DATABASE_URL", "postgresql://me:" + _random(12) + "@db.example.org/data"),
    "index with a token": ("PIP_EXTRA_INDEX_URL", "https://user:" + _random(20) + "@pypi.example.org/simple"),
    "signed URL": ("DATA", "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + _random(64, "0123456789abcdef")),
    "inside JSON": ("config", '{"model": "x", "token": "gh' + "p_" + _random(36) + '"}'),
    "password": ("DB_PASSWORD", "hunter22"),
    "passphrase": ("KEY_PASSPHRASE", "correct horse battery staple"),
    "hexadecimal token": ("WANDB_API_KEY", _random(40, "0123456789abcdef")),
    "UUID as a key": ("COMET_API_KEY", "3f2b8c1e-9d4a-4f6b-8c2d-1e5a7b9c0d3f"),
    "short token": ("SERVICE_TOKEN", _random(20)),
    "client secret": ("client-secret", _random(32)),
}
ORDINARY = [
    ("HF_TOKEN", ""),
    ("HF_TOKEN", "secretsmanager:hf"),
    ("HF_TOKEN", "env:HF_TOKEN"),
    ("HF_TOKEN", "${HF_TOKEN}"),
    ("MODEL_ID", "meta-llama/Llama-3.1-8B-Instruct"),
    ("MODEL", "sk-learn-gradient-boosting-classifier-v2"),
    ("model_name", "sentence-transformers/all-MiniLM-L6-v2"),
    ("pad_token", "<|finetune_right_pad_id|>"),
    ("eos_token", "</s>"),
    ("mask_token", "[MASK]"),
    ("stop_token", "end-of-generated-text-marker"),
    ("max_new_tokens", "4096"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("TOKENIZER", "google/sentencepiece-unigram-32000"),
    ("API_KEY_PARAMETER", "/prod/team/wandb/key1234567890abcdef"),
    ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"),
    ("DB_SECRET", "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"),
    ("KMS_KEY_ID", "1234abcd-12ab-34cd-56ef-1234567890ab"),
    ("ACCESS_TOKEN", "/run/credentials/a1b2c3d4e5f6g7h8"),
    ("S3_PREFIX", "s3://bucket/run-2024-05-01T12:00:00/a9f8e7d6c5b4a3f2e1d0"),
    ("DATABASE_URL", "postgresql://db.example.org:5432/data"),
    ("DATABASE_URL", "postgresql://me:$PASSWORD@db.example.org/data"),
    ("GIT_URL", "ssh://git@example.org/a/b.git"),
    ("PIP_INDEX_URL", "https://pypi.example.org/simple"),
    ("PASSWORD_POLICY", "at-least-12-characters"),
    ("DB_PASSWORD", "none"),
    ("DB_PASSWORD", "disabled"),
    ("seed", "12345678901234567890"),
    ("commit", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
    ("digest", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("image", "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/image:2024.05.01-gpu"),
    ("run-id", "3f2b8c1e-9d4a-4f6b-8c2d-1e5a7b9c0d3f"),
    ("prompt", "Explain why a secret token is not a password."),
    ("sort_key", "a1b2c3d4e5f6g7h8i9j0"),
    ("columns", '["user_id", "session_token", "created_at"]'),
    ("hf_path", "hf_internal_testing_tiny_random_gpt_two"),
    ("PYTHONPATH", "/opt/ml/code:/opt/ml/input"),
    ("LEARNING_RATE", "1e-4"),
    ("DATE", "2024-05-01 12:00:00"),
    ("NCCL_SOCKET_IFNAME", "eth0"),
    ("notebook", "s3://sagemaker-eu-west-1-111122223333/AKI/notes"),
    ("public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v me@example.org"),
]


@pytest.mark.parametrize("kind", SECRETS)
def test_what_looks_like_a_secret_is_found(kind: str) -> None:
    assert describe_secret(*SECRETS[kind]) is not None


@pytest.mark.parametrize(("name", "value"), ORDINARY)
def test_an_ordinary_value_is_not(name: str, value: str) -> None:
    assert describe_secret(name, value) is None


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("setting", ["environment_variables", "hyperparameters", "tags"])
def test_the_error_says_what_to_write_and_does_not_show_the_value(setting: str, kind: str) -> None:
    name, value = SECRETS[kind]
    with pytest.raises(ConfigError) as caught:
        refuse_leaks({"other": {"A": "1"}, setting: {"B": "2", name: value}}, target="local")
    said = str(caught.value) + repr(caught.value.facts)
    assert value not in said
    assert f"{setting}[{name!r}]" in said
    assert ": 'env:" in caught.value.fix
    assert f"not_secret=[{name!r}]" in caught.value.fix
    assert ("os.environ" in caught.value.fix) is (setting != "environment_variables")


def test_on_sagemaker_the_line_names_secrets_manager() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_leaks({"environment_variables": {"HF_TOKEN": SECRETS["Hugging Face"][1]}}, target="sagemaker")
    assert "secrets={'HF_TOKEN': 'secretsmanager:HF_TOKEN'}" in caught.value.fix
    assert "aws secretsmanager create-secret --name HF_TOKEN" in caught.value.fix


def test_a_name_that_is_passed_is_not_looked_at() -> None:
    values: dict[str, Any] = {"tags": {"build_token": SECRETS["GitHub"][1]}, "hyperparameters": {"a": "b"}}
    assert find_leak(values, passed=["build_token"]) is None
    assert find_leak(values) is not None


_WRITTEN = ["export {0}={1}", "{0}='{1}' make fetch", 'run --{0}="{1}" x', "a; {0}={1}; b"]


@pytest.mark.parametrize("written", _WRITTEN)
@pytest.mark.parametrize("kind", ["GitHub", "password", "hexadecimal token", "client secret", "AWS secret"])
def test_a_command_that_sets_what_looks_like_a_secret_is_refused_without_showing_it(kind: str, written: str) -> None:
    name, value = SECRETS[kind]
    texts = {"pre_execution_commands[0]": "true", "pre_execution_commands[1]": written.format(name, value)}
    with pytest.raises(ConfigError) as caught:
        refuse_leaks_of_commands(texts, target="local")
    assert value not in str(caught.value) + repr(caught.value.facts)
    assert caught.value.what.startswith("pre_execution_commands[1] has what looks like a")
    assert f"not_secret=[{name!r}]" in caught.value.fix
    refuse_leaks_of_commands(texts, target="local", passed=[name])


@pytest.mark.parametrize("kind", ["GitHub", "index with a token", "private key", "database", "signed URL"])
def test_a_secret_anywhere_in_a_script_is_refused_with_its_line(kind: str) -> None:
    value = SECRETS[kind][1]
    texts = {"pre_execution_script": f"#!/bin/sh\ncurl -H 'Authorization: Bearer {value}' example.org\n"}
    with pytest.raises(ConfigError, match=r"^pre_execution_script, line 2, has what looks like a") as caught:
        refuse_leaks_of_commands(texts, target="sagemaker")
    assert value.splitlines()[0] not in str(caught.value)
    assert "'secretsmanager:TOKEN'" in caught.value.fix
    refuse_leaks_of_commands(texts, target="sagemaker", passed=["pre_execution_script"])


@pytest.mark.parametrize(
    "command",
    [
        "apt-get update && apt-get install -y ffmpeg=7:6.1.1-3 libsndfile1",
        "pip install --index-url https://user:$INDEX_TOKEN@pypi.example.org/simple package==1.0",
        "export HF_TOKEN=$(cat /run/secret) API_KEY=${API_KEY:-} DB_PASSWORD=",
        'export HF_TOKEN="$HF_TOKEN"',
        "git clone https://example.org/a/b.git && git checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "echo sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 | sha256sum -c",
        "python -c 'import os; print(os.environ[\"HF_TOKEN\"])'",
        'if [ "$TOKEN" = none ]; then exit 1; fi',
        "",
    ],
)
def test_ordinary_commands_pass(command: str) -> None:
    refuse_leaks_of_commands({"pre_execution_commands[0]": command}, target="local")
