"""Makes one kind of evidence of many videos, in this process or in Ray's workers.

A kind is a spec (`encoder/spec.py`, `evidence/spec.py`): engines know none of them.
"""
