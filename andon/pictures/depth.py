"""Brings samples of more than 8 bits to 8: by the bits that the sensor has, not by those that the file has room for.

A camera of 12 bits writes values up to 4,095 into samples of 16 bits, and no field of PNG or TIFF that writers agree on
says so. Read as 16 bits such a picture is black. So the number of bits is taken from the values: the smallest depth of
a sensor that holds the largest one.
"""

import numpy as np

from andon.pictures.picture import Bgr, Samples

SENSOR_BITS = (10, 12, 14, 16)
"""Depths of industrial sensors. Source: EMVA, GenICam PFNC 2.4: Mono10, Mono12, Mono14, Mono16."""


def bits_used(samples: Samples) -> int:
    """8 for samples of 8 bits, else one of SENSOR_BITS."""
    if samples.dtype == np.uint8:
        return 8
    largest = int(samples.max(initial=0))
    return next(bits for bits in SENSOR_BITS if largest < 1 << bits)


def in_8_bits(samples: Samples, bits: int | None = None) -> Bgr:
    """`bits`: that other pictures of the sensor use. None: unknown. Samples of 8 bits are returned unchanged."""
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8)
    return (samples >> (max(bits or 0, bits_used(samples)) - 8)).astype(np.uint8)
