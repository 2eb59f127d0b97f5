"""The customer's command: it makes a vendor's manifests pull with a license.

It runs on the customer's side, and only sends HTTP requests to registries and Berth.
"""
