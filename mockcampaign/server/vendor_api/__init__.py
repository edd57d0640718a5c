"""The vendor's REST API: webhooks, smart campaigns and the users who may call it."""
