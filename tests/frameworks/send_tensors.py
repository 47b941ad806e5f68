"""Writes tensors as a payload, reads them back, and prints what came.

Arguments: a file to write. With the word ``bare`` behind it, as where there is no numpy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if "bare" in sys.argv:
    sys.modules["numpy"] = None  # type: ignore[assignment]

import torch

from sm_remote.wire.payload import load_value, pickle_value


def main(path: Path) -> None:
    base = torch.arange(1000.0)
    model = torch.nn.Linear(3, 2)
    value = {"base": base, "view": base[10:20], "turned": base.view(10, 100).t(), "model": model, "empty": base[:0]}
    with path.open("wb") as file:
        pickle_value(value, file)
    back = load_value(path)
    back["base"][10] = 99
    facts = {
        "size_bytes": path.stat().st_size,
        "view": back["view"][0].item(),
        "stride": back["turned"].stride(),
        "weight": torch.equal(back["model"].weight, model.weight) and back["model"].weight.requires_grad,
        "empty": back["empty"].numel(),
        "numpy": sys.modules.get("numpy") is not None,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
