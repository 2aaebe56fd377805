"""Groups what was logged as an error, for the page "Errors"."""
