"""npukit: what runs on the NPU board and in the simulator.

Needs numpy and OpenCV only, and runs on Python 3.7 (HiLens Kit). Heavier parts
(ONNX Runtime, PyAV, vendor modules) are imported inside the file that needs them.
"""

__version__ = "0.1.0"
