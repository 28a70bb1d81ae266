"""Conversion of trained models, on the host only.

Today: PyTorch to ONNX to a simulator build, each step verified against the one before.
"""
