"""Arrays in files: one module for each format. See README.md."""
