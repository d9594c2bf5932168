"""Kubernetes operator: rolls model versions out step by step, and runs analyses of many videos."""
