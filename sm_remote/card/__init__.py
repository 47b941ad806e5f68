"""A job in a few lines of HTML: the card that a notebook's cell and the panel's server both render."""
