"""Runs the program sops, which a Python package contains, to encrypt and decrypt files independently of Norn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

PROGRAM = Path(sys.executable).parent / "sops"


def encrypt(plain: str, recipient: str, *options: str) -> str:
    """Encrypts the text of a YAML file to a public age key."""
    kinds = ("--input-type", "yaml", "--output-type", "yaml")
    return _run(plain, "--encrypt", "--age", recipient, *options, *kinds, "/dev/stdin")


def decrypt(text: str, key: str) -> dict[str, str]:
    """Decrypts the text of a YAML file with a private age key."""
    kinds = ("--input-type", "yaml", "--output-type", "yaml")
    found = yaml.safe_load(_run(text, "--decrypt", *kinds, "/dev/stdin", key=key))
    assert isinstance(found, dict)
    return found


def _run(stdin: str, *words: str, key: str = "") -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SOPS_AGE_KEY": key}
    argv = [str(PROGRAM), "--disable-version-check", *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
