"""The models of requests and responses, which the OpenAPI document shows."""
