"""Lightning: its Trainer's checkpoints, with loops and optimisers; they are loaded without running code."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, Trainer

from sm_remote import checkpoint


def train(model: Any, data: Any, epochs: int, **options: Any) -> None:
    with checkpoint("lightning") as ckpt:

        class Save(Callback):  # type: ignore[misc]
            def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
                trainer.save_checkpoint(ckpt.path / "last.ckpt")
                ckpt.save(step=trainer.current_epoch, metric=trainer.callback_metrics.get("loss"))
                trainer.should_stop = ckpt.interrupted

        last = ckpt.restored / "last.ckpt" if ckpt.restored else None
        Trainer(max_epochs=epochs, callbacks=[Save()], **options).fit(model, data, ckpt_path=last, weights_only=True)
