"""Arrays, ops and function transforms."""
