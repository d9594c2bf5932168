"""The chart's tools: its call graph, plain manifests out of it, images."""
