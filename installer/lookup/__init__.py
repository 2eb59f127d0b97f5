"""Which images are public and which are private."""
