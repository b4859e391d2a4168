"""Posts events to webhooks of tenants, signed as Standard Webhooks has it; decision 0037."""
