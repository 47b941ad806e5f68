"""PyTorch: its own save and load functions; loading takes tensors alone (weights_only)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from sm_remote import checkpoint


def train(model: Any, optimiser: Any, batches: Iterable[Any], epochs: int) -> None:
    with checkpoint("pytorch") as ckpt:
        parts = {"model": model, "optimiser": optimiser}
        for name, saved in (ckpt.load_file("state.pt", torch.load) if ckpt.restored else {}).items():
            parts[name].load_state_dict(saved)
        for epoch in range(ckpt.next_step, epochs):
            loss = learn(model, optimiser, batches)
            torch.save({name: part.state_dict() for name, part in parts.items()}, ckpt.path / "state.pt")
            ckpt.save(step=epoch, metric=loss)
            if ckpt.interrupted:
                break


def learn(model: Any, optimiser: Any, batches: Iterable[Any]) -> float:
    total = 0.0
    for inputs, targets in batches:
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimiser.step()
        total += loss.item()
    return total
