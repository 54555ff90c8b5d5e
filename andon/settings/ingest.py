"""The ingesters: which cameras they share, and their spool, for frames while the broker is away."""

from pydantic import Field

from andon.settings.section import Positive, Section, SiteName


class IngestSettings(Section):
    """How the ingesters of a line share its cameras."""

    site: SiteName | None = None
    """Where this ingester stands, for example `hall-2`: it captures the cameras whose `site` is the same, and shares
    them with the other ingesters of that site. None: it captures the cameras without a site."""


class SpoolSettings(Section):
    """Where frames of `lossless` cameras wait when the broker is away for longer than the mailbox lasts."""

    folder: str = "andon-data/spool"
    """On a disk of this machine; each camera has a folder in it."""
    max_bytes: int = Field(default=4_000_000_000, ge=0)
    """Bytes of all spools together; the `lossless` cameras of an ingester have equal shares. 0: no spool; frames that
    find no room are shed. 4 GB: four cameras with 25 frames of 100 KB a second for 400 s."""
    segment_bytes: int | None = None
    """No longer used, and ignored with a warning: the spool is a database, not files of a certain size."""
    timeout_s: Positive = 10.0
    """Seconds after which a disk that does not answer is reported. The camera goes on meanwhile, and sheds frames that
    find no room in memory. 10: a sleeping disk takes a few seconds to wake up."""
    fsync: bool = False
    """False: spooled frames outlive the process, however it dies. True: they outlive a power cut, too, and each
    transaction, of up to 16 frames, waits for the disk."""
