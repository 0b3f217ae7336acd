"""Files of secrets in the format of sops, with age: a flat YAML map whose values are encrypted one by one.

The program sops opens the files that are written here, and files of sops are opened here.
"""

from norn_tasks.adapters.sops.files import SopsFiles

__all__ = ["SopsFiles"]
