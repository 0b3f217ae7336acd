"""The shapes of requests and answers: what the API accepts and promises, and what its OpenAPI document shows."""
