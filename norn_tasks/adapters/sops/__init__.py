"""Files of secrets in the format of the program sops, with age encryption: a flat YAML map with separately encrypted
values.

sops can read the files that Norn writes, and Norn can read the files that sops writes.
"""

from norn_tasks.adapters.sops.files import SopsFiles

__all__ = ["SopsFiles"]
