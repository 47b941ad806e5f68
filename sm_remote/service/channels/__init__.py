"""The inputs of a job, in File, FastFile and Pipe mode."""
