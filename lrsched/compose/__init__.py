"""Compose, compare, store and explain configs of Hydra and OmegaConf."""
