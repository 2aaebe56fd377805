"""The API for programs: the site's models over both protocols, for the official SDKs."""
