"""The bench's tools: servers, roles as processes, inputs, loads, readers, meters, the report."""
