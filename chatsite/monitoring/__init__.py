"""What operators and their programs see of a process: probes, metrics, checks."""
