"""The fake server: the vendor's REST API, the control API, Swagger UI and the live page for one campaign."""
