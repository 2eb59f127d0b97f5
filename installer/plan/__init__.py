"""What to do about each image, and which namespaces need the pull secret."""
