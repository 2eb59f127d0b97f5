"""All that a team owns, without its secrets: a room above all that hold something."""
