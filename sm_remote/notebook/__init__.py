"""The notebook's side of `sm_remote`: the magics `%%remote` and `%remote`."""
