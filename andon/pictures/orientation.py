"""Turns a picture as its Exif asks for. Source: Exif 2.32, 4.6.4."""

import cv2

from andon.pictures.picture import Samples, in_known_depth


def on_its_side(orientation: int) -> bool:
    """Whether the upright picture is as wide as the encoded one is high."""
    return orientation >= 5


def upright(pixels: Samples, orientation: int) -> Samples:
    """The picture as it is to be seen. The same array for 1."""
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE), 0)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return in_known_depth(turned)
