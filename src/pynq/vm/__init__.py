"""``pynq vm``: a virtual board, Debian's arm64 kernel in QEMU with the simulated board as its PL.

Reading order: ``cachedir`` (where everything is kept), ``apt`` (Debian's packages), ``assets`` (QEMU, the
kernel, the guest's root), ``image`` (the guest's file system).
"""
