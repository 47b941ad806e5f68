"""Runs one of the examples in a process of its own: ``python run_example.py NAME EPOCHS SIGTERM_AT``.

Prints the epochs that it began at, as far as its data tells, and the digest of the weights that it came to. At the
given number of looks at the data it sends itself SIGTERM, as SageMaker would; 0 for never.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "checkpoints"))
ITEMS = 8


class Data(torch.utils.data.Dataset):
    """Eight items; counts how often one is looked at."""

    def __init__(self, stop_at: int) -> None:
        self.looks = 0
        self._stop_at = stop_at
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.rand(ITEMS, 4, generator=generator)
        self.targets = self.inputs.sum(dim=1, keepdim=True)

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int):
        self.looks += 1
        if self.looks == self._stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.inputs[index], self.targets[index]


def build_model() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


def digest(tensors) -> str:
    hasher = hashlib.sha256()
    for tensor in tensors:
        hasher.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hasher.hexdigest()


def run_pytorch(data: Data, epochs: int) -> str:
    from with_pytorch import train

    model = build_model()
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    train(model, torch.optim.Adam(model.parameters(), lr=0.01), loader, epochs)
    return digest(model.state_dict().values())


def run_keras(data: Data, epochs: int) -> str:
    import keras
    from with_keras import train

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return ITEMS // 4

        def __getitem__(self, index: int):
            items = [data[number] for number in range(4 * index, 4 * index + 4)]
            return tuple(torch.stack(part).numpy() for part in zip(*items, strict=True))

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.build((None, 4))
    model.compile(optimizer="adam", loss="mse")
    trained = train(model, Batches(), epochs)
    return digest(torch.as_tensor(weights) for weights in trained.get_weights())


def run_lightning(data: Data, epochs: int) -> str:
    import lightning
    from with_lightning import train

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.inner = build_model()

        def training_step(self, batch, number):
            loss = torch.nn.functional.mse_loss(self.inner(batch[0]), batch[1])
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    model = Module()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    train(model, loader, epochs, enable_checkpointing=False, **quiet)
    return digest(model.state_dict().values())


def run_trainer(data: Data, epochs: int) -> str:
    from with_trainer import train

    class Items(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return ITEMS

        def __getitem__(self, index: int):
            inputs, targets = data[index]
            return {"inputs": inputs, "labels": targets}

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = build_model()

        def forward(self, inputs, labels=None):
            outputs = self.inner(inputs)
            return {"loss": torch.nn.functional.mse_loss(outputs, labels), "logits": outputs}

    model = Module()
    train(model, Items(), epochs, per_device_train_batch_size=4, report_to=[], use_cpu=True, disable_tqdm=True)
    return digest(model.state_dict().values())


def main(name: str, epochs: str, stop_at: str) -> None:
    data = Data(int(stop_at))
    found = globals()[f"run_{name}"](data, int(epochs))
    print("RESULT " + json.dumps({"looks": data.looks, "weights": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
