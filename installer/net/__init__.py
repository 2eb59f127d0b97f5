"""HTTP: one client with limits, and the registries and the portal behind it."""
