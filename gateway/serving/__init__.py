"""One request of a program: read, admitted, called and answered."""
