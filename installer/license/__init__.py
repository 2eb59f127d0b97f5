"""The license file: read it, verify its signatures, check that it is in force."""
