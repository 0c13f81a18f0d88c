"""How fast an encoder is on this machine, next to a proof that its answers are still right."""
