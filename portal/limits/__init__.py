"""Limits on what one team, subject or address may use."""
