"""The page "System", for administrators."""
