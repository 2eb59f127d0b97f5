"""The app manager: it makes a vendor's manifests pull with a license.

It runs where the customer is, and speaks to registries and to Berth over HTTP only.
"""
