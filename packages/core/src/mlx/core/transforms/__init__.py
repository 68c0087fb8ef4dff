"""The function transforms: each records a function, then walks what it recorded. See README.md."""
