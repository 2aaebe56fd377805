"""Examines the installation, for the page "System" and for `manage.py doctor`."""
