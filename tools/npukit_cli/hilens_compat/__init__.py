"""A drop-in for the vendor's `hilens` module, for scripts written for the HiLens Kit.

`npukit run script.py` puts `inject/` in front of the module path; nothing else does, and it is
never installed as `hilens`. Python 3.7 syntax: it also stands in for the vendor's module when
npukit's own use of that module is tested.
"""
