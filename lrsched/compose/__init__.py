"""All that knows the configs of Hydra and OmegaConf."""
