"""Builds the CUDA kernels of `libs/worlds`, and checks them on a GPU. `python -m tools.cuda --help`.

Runs with any Python from 3.11 that has numpy and jaxtyping (the check also wants pytest and SciPy), so that a machine with a GPU needs nothing of set-up's.
"""
