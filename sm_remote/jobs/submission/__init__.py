"""From a function and settings to a training job's spec."""
