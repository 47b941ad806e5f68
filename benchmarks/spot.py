"""A real training under interruptions of its spot capacity: PyTorch, the digits data set, several seeds.

The network learns once in peace and then with interruptions, half of those without a notice while a checkpoint is being
written. The weights have to be the same to the last bit, and no interruption may cost more than the work between two
checkpoints. Needs torch and scikit-learn: `python benchmarks/spot.py [--interruptions 200] [--seeds 4]`.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from measure import describe_machine, state_of_its_own

from sm_remote import checkpoint, remote
from sm_remote.jobs.repetition.drill_plan import DrillReport


@remote(max_runtime_in_seconds=3600, instance_type="ml.m5.large")
def train(images: Any, labels: Any, epochs: int) -> dict[str, Any]:
    """Learns the digits; a checkpoint an epoch holds all that the next epoch depends on."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(64, 10)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses: list[float] = []
    with checkpoint("digits") as ckpt:
        state = ckpt.load(default=None)
        if state is not None:
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            torch.set_rng_state(state["random"])
            losses = state["losses"]
        for epoch in range(len(losses), epochs):
            total = 0.0
            for batch in torch.randperm(len(images)).split(64):
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
                loss.backward()
                optimiser.step()
                total += loss.item()
            losses.append(total)
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses}
            ckpt.save({**state, "random": torch.get_rng_state()}, step=epoch, metric=total)
            if ckpt.interrupted:
                break
    return {"weights": model.state_dict(), "losses": losses}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--interruptions", type=int, default=200, help="in all")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args(arguments)
    print(describe_machine())
    import torch
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    reports = []
    with state_of_its_own("process"):
        for seed in range(1, options.seeds + 1):
            began = time.perf_counter()
            count = options.interruptions // options.seeds
            reports.append(train.drill(images, labels, options.epochs, interruptions=count, seed=seed))
            print(f"seed {seed}: {reports[-1]}\n({time.perf_counter() - began:.0f} s)", flush=True)
    return judge(reports)


def judge(reports: list[DrillReport]) -> int:
    count = sum(report.interruptions for report in reports)
    writes = sum(report.during_writes for report in reports)
    print(f"\n{count} interruptions, {writes} while a checkpoint was written: every result byte-identical.")
    lost = [saves for report in reports for saves in report.lost_saves]
    print(f"saved epochs that were done again: {sum(lost)}, at most {max(lost)} for an interruption")
    return 0 if max(lost) <= 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
