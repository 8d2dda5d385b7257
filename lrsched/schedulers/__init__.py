"""Schedulers: what drives one optimizer. Three kinds: table, plateau-like, native."""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
