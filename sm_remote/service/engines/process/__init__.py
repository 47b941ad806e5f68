"""The engine that runs processes of this machine."""
