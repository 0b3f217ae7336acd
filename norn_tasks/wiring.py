"""From settings to Tools: the only module that knows every adapter."""

from __future__ import annotations
