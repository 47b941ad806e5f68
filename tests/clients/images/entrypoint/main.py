"""Tells how it was started."""

import os
import sys

print(f"arguments {sys.argv[1:]} in {os.getcwd()}", flush=True)
