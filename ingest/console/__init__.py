"""The console: a customer's people look at usage and manage their tenant, in a browser, with one cookie."""
