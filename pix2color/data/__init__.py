"""Photos on disk to uint8 batches; nothing in here knows about Lab, models or tasks."""
