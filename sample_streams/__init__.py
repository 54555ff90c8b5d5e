"""The demo line: a synthetic belt with metal parts, its clips with their truth, and the model trained on it."""
