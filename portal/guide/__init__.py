"""The guide, under Help: what ``make guide`` builds from ``docs/guide/``."""
