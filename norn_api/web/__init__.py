"""HTTP beneath every route: requests, responses, errors, path converters and the OpenAPI document."""
