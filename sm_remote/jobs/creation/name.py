"""Names of training jobs: readable, sortable by time, unique, and always within the API's pattern. Pure."""

from __future__ import annotations

import re
from datetime import datetime

LONGEST = 63
"""Source: API_CreateTrainingJob, TrainingJobName: ``[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}``."""

RANDOM_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RANDOM_LENGTH = 10
"""50 bits: two calls in the same second never meet, on any number of machines."""


def build_job_name(prefix: str, moment: datetime, random_bits: int, *, longest: int = LONGEST) -> str:
    """Builds ``<prefix>-<yyyymmdd>-<hhmmss>-<random>``, the prefix cleaned and cut to fit.

    Args:
        prefix: A function's name or the user's ``job_name_prefix``; anything that the pattern forbids becomes ``-``.
        moment: The time to show.
        random_bits: At least 50 random bits.
        longest: Less than what is allowed, where something is to be added.
    """
    letters = [RANDOM_ALPHABET[(random_bits >> (5 * index)) & 31] for index in range(RANDOM_LENGTH)]
    suffix = f"{moment:%Y%m%d-%H%M%S}-{''.join(letters)}"
    cleaned = re.sub(r"[^a-zA-Z0-9]+", "-", prefix).strip("-")[: longest - len(suffix) - 1].strip("-")
    return f"{cleaned or 'job'}-{suffix}"
