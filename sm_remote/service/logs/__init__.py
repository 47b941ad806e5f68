"""Log streams on disk, their group, and the patterns that find lines in them."""
