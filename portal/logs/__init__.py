"""What processes log, in which form, and of which request."""
