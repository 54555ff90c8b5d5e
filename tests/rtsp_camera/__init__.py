"""A real RTSP camera for tests, on this machine only, with the faults that cameras in factories have.

`RtspCamera(footage, faults)` serves one endless stream over TCP or UDP. `footage.py` makes what it shows: H.264 or
H.265, progressive or interlaced, turned, with a keyframe as rarely as you like. `faults.py` lists what goes wrong
on the way, and `login.py` the logins that it asks for.
"""

from tests.rtsp_camera.camera import RtspCamera
from tests.rtsp_camera.faults import Faults
from tests.rtsp_camera.footage import Footage, film, noise

__all__ = ["Faults", "Footage", "RtspCamera", "film", "noise"]
