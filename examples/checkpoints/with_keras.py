"""Keras: whole models with their optimisers, loaded in its safe mode."""

from __future__ import annotations

from typing import Any

import keras

from sm_remote import checkpoint


def train(model: Any, data: Any, epochs: int) -> Any:
    with checkpoint("keras") as ckpt:

        class Save(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.model.save(ckpt.path / "model.keras")
                ckpt.save(step=epoch, metric=logs["loss"])
                self.model.stop_training = ckpt.interrupted

        model = ckpt.load_file("model.keras", keras.models.load_model) if ckpt.restored else model
        model.fit(data, epochs=epochs, initial_epoch=ckpt.next_step, callbacks=[Save()], shuffle=False)
    return model
