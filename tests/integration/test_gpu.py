"""A training step on this machine's GPU."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import sm_remote
from sm_remote.service.engines.choice import count_gpus

pytestmark = [pytest.mark.gpu]


def train_step() -> dict[str, Any]:
    import os

    import torch

    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = torch.randn(64, 8).cuda(), torch.randn(64, 1).cuda()
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "gpus": os.environ["SM_NUM_GPUS"], "seen": torch.cuda.device_count()}


def test_a_training_step_runs_on_the_gpu_in_a_process() -> None:
    if not count_gpus():
        pytest.skip("this machine has no NVIDIA GPU: /dev has no nvidia0")
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed here: pip install torch")
    found = sm_remote.remote(train_step, engine="process", instance_type="local_gpu")()
    assert found["losses"][-1] < found["losses"][0]
    assert found["seen"] == count_gpus() == int(found["gpus"])
