"""Hugging Face's Trainer: the directories that it writes, published each time that it has saved one."""

from __future__ import annotations

from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from sm_remote import checkpoint


def train(model: Any, data: Any, epochs: int, **options: Any) -> None:
    with checkpoint("trainer") as ckpt:

        class Save(TrainerCallback):  # type: ignore[misc]
            def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
                ckpt.save(step=state.global_step)
                control.should_training_stop |= ckpt.interrupted

        last = get_last_checkpoint(ckpt.restored) if ckpt.restored else None
        settings = TrainingArguments(output_dir=ckpt.path, save_strategy="epoch", num_train_epochs=epochs, **options)
        Trainer(model, settings, train_dataset=data, callbacks=[Save()]).train(resume_from_checkpoint=last)
