"""Compose, compare, store and explain configs: the room that knows Hydra's and OmegaConf's."""
