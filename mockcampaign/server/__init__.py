"""The fake server: the vendor's REST API, control API, Swagger UI and live page around one served campaign."""
