"""Lists on pages: their filters, their columns, and what is downloaded of them."""
