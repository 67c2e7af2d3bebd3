"""Take S3 buckets to a disk and prove that the disk is right.

The functions and results of every command, the errors, and the ports. Adapters that
hold everything in memory are in ``s3export.adapters.memory``.
"""

import lazy_loader

# What there is, and where, is in the stub beside this; it is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
