"""What travels with a call: the function, its arguments, the modules and the installed packages that they reach."""
