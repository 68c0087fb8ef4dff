"""The questions of tools/golden.py, one topic a module."""
