"""A training script as script mode runs it: its arguments are hyperparameters, its places environment variables."""

import argparse
import os
from pathlib import Path

import shouting  # a module of the source directory
import tomlkit  # out of requirements.txt

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--model")
parser.add_argument("--batch-size", type=int)
arguments = parser.parse_args()
lines = Path(os.environ["SM_CHANNEL_TRAIN"], "data.csv").read_text().splitlines()
for epoch in range(arguments.epochs):
    print(f"epoch {epoch} loss={1 / (epoch + 1):.3f}")
result = {
    "rows": len(lines),
    "model": arguments.model,
    "batch_size": arguments.batch_size,
    "hyperparameter": os.environ["SM_HP_EPOCHS"],
    "here": os.getcwd(),
    "shouted": shouting.shout("done"),
}
Path(os.environ["SM_MODEL_DIR"], "result.toml").write_text(tomlkit.dumps(result))
