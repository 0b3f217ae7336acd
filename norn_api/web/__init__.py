"""The parts of HTTP that all routes share: requests, responses, errors, path converters and the OpenAPI document."""
