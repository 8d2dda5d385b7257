"""Random changes of a whole batch of images at once; :mod:`lrsched.data.augment` says in which order."""
