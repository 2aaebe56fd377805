"""The way in for programs: the models of this site over both protocols, for the official SDKs as they are."""
