"""What a training job is created with, whoever asks for it: a call, a replay, or the job that it follows."""
