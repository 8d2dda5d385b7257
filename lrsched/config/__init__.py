"""The config: its schema, the check of every value, and the targets that a config may name.

Plain dicts only: hydra and omegaconf stop at :mod:`lrsched.compose`.
"""
