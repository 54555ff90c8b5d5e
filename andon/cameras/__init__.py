"""The registry: which cameras a line has, in the compacted topic `andon.cameras` (`kafka.cameras_topic`).

A record's key is the camera's id and its value a `CameraConfig`: the camera's section of line.yaml as it is written
there, secrets only as references. A record without a value removes the camera. The last record of a camera counts.

- Read the whole topic: `async with open_registry(kafka, emit) as registry:`, then `registry.cameras`.
- Follow it: `await registry.poll()` again and again; it returns the ids whose cameras have changed. Whoever does so
  for long calls `registry.ask_seldom()` first.
- Write: `async with open_writer(kafka, registry, emit) as writer:`, then `await writer.change(camera_id, change)`.
  `change` is a pure function from the camera's present config (None: there is none) to the one that it is to have
  (None: remove it). Two writers at the same time: the later one finds the other's record before its own, and applies
  its `change` once more, upon what the other has written. Neither is lost. `change_all` takes many cameras at once.
- `sections.settings_of` makes the camera's settings from a config, with the secrets of this machine;
  `sections.require_no_password` refuses a secret that somebody typed.
"""
