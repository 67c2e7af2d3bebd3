"""Encrypted containers: through cryptsetup and the kernel, or all in userspace.

In userspace TrueCrypt and VeraCrypt volumes are read whose mode is XTS: header versions
3 to 5, TrueCrypt 5.0 and later. The CBC and LRW volumes of earlier versions are not.
What is stored where is in `tcrypt_header`; ciphers and hashes are libraries' own.
"""
