"""The Kustomize files that patch writes below --out."""
