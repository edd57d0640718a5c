"""The vendor's REST API: operations on webhooks and smart campaigns, and who may call them."""
