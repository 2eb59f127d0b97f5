"""One box that finds what a team has: a room above all that hold something."""
