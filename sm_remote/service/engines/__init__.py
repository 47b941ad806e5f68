"""What runs containers: the protocol, its two engines, and the choice between them."""
