"""The development tool that makes the shipped catalogue of models and providers from public price tables."""
