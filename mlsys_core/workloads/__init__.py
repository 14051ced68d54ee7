"""What machines are asked to do: models, exact counts of their work, and where that work meets the limits of a device."""
