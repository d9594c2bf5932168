"""Turns TensorFlow.js graph models into ONNX, with numpy and onnx alone.

    tfjs (files -> graph) ──► convert (graph -> ONNX) ──► operations (one function per kind of node) ──► builder (ONNX
    nodes)

Whole TensorFlow would take 1.5 GB and 80 s for the same numbers; this takes a second. It knows the operations that our
models use; another model may need another one, which is one function in `operations` and one test.
"""
