"""The vendor's manifests as they are on disk."""
