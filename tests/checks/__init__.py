"""What `make check` runs beside the linters: generated files are up to date, commands in the docs work."""
