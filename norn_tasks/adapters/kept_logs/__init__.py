"""Stores the log lines of apps' containers in files of the data directory, and searches them."""

from norn_tasks.adapters.kept_logs.app_files import KeepLimits
from norn_tasks.adapters.kept_logs.directory import KeptLogDirectory

__all__ = ["KeepLimits", "KeptLogDirectory"]
