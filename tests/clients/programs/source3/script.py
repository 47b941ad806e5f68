"""A training script as the SDK v3's own driver runs it in any image that has Python."""

import os
from pathlib import Path

lines = Path(os.environ["SM_CHANNEL_TRAIN"], "data.csv").read_text().splitlines()
print(f"{len(lines)} rows, {os.environ['SM_HP_EPOCHS']} epochs on {os.environ['SM_CURRENT_HOST']}")
Path(os.environ["SM_MODEL_DIR"], "rows").write_text(str(len(lines)))
