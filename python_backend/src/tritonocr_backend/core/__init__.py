"""What all other folders use: arrays, contracts, errors, settings, limits, devices and logs."""
