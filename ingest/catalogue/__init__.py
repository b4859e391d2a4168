"""Makes the shipped catalogue of models and providers from public price tables, at development time."""
