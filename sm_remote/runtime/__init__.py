"""What runs inside a job: a supervisor, and its child that runs the function. Standard library, wire, errors and
cloudpickle only; it travels with each job as a zip, so client and job are never of different versions."""
