"""What makes an update faster: the order of images, a compiled model, memory that is kept, one kernel, TF32."""
