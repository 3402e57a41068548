"""The embedded demo: a procedural world, its models and what trains and shows them."""
