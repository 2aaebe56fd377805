"""What viewers see change: the hub that delivers frames, and the HTML in them."""
