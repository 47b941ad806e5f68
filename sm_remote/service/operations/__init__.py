"""What a client may ask for: one module for each group of operations, and the table of all of them."""
