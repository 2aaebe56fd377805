"""How figures, amounts of money, moments and whole numbers are read and written."""
