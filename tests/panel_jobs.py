"""Functions that tests of the panel run as jobs; in a module of their own, since a function travels with its module."""

from __future__ import annotations

import os
import time

from sm_remote import remote


@remote
def talk(lines):
    for number in range(lines):
        print(f"line {number}", flush=True)
        time.sleep(0.05)
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "weights.bin"), "wb") as file:
        file.write(b"w" * 1000)
    return lines


@remote
def sleep():
    time.sleep(600)


@remote(metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}])
def learn():
    for step in range(1, 5):
        print(f"loss={1 / step}", flush=True)
        time.sleep(1.1)
