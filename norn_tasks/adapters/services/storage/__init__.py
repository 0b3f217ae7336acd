"""An object store with the APIs of S3 and AWS IAM: buckets and users of apps, and a bucket for Norn's own files."""

from norn_tasks.adapters.services.storage.buckets import keep_key, make, remove, require
from norn_tasks.adapters.services.storage.objects import FileBucket
from norn_tasks.adapters.services.storage.signing import AccessKey

__all__ = ["AccessKey", "FileBucket", "keep_key", "make", "remove", "require"]
