"""The routing tables of tenants' gateways: settings, routes and allowed models, as ids of terms."""
