"""The frames that ranges are taken from."""
