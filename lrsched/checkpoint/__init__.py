"""Checkpoints: a run at rest, on disk: atomic, hashed, safe to load."""

from lrsched.checkpoint.store import Checkpoint, Store

__all__ = ["Checkpoint", "Store"]
