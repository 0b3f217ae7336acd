"""Files of secrets in the format of sops, with age: a flat YAML map whose values are encrypted one by one.

The program sops can read the files that Norn writes, and Norn can read the files that sops writes.
"""

from norn_tasks.adapters.sops.files import SopsFiles

__all__ = ["SopsFiles"]
