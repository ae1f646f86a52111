"""Targets: places that run workloads. They never import each other."""
