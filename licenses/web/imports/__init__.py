"""Import of customers and licenses from CSV: what it would do first, then all of it."""
