"""The gateway under load, beside the upstream alone and beside other gateways."""
