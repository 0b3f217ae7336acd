"""Buckets of apps on an object store that speaks S3, and the users that may use them, by the API of AWS IAM."""

from norn_tasks.adapters.services.storage.buckets import keep_key, make, remove, require
from norn_tasks.adapters.services.storage.signing import AccessKey

__all__ = ["AccessKey", "keep_key", "make", "remove", "require"]
