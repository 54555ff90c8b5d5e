"""Decodes what a source passes on, as a worker does: what is not proven to be whole is left out."""

from collections.abc import Sequence

import numpy as np

from andon.errors import PoisonError
from andon.pictures.picture import Bgr
from andon.video.decoder import DecodedUnit, GroupDecoder
from andon.video.h264 import H264
from andon.video.h265 import H265
from andon.video.proof import ProofOfReferences
from andon.video.units import MalformedError
from ingest.sources.source import Picture


def proven(pictures: Sequence[Picture]) -> dict[int, Bgr]:
    """The pixels of the pictures that are proven, by their place. All are of one stream, in its order."""
    first = pictures[0].unit
    assert first is not None
    assert first.video is not None
    reader = H264() if first.video.content_type == "video/h264" else H265()
    proof, decoder, whole = ProofOfReferences(), GroupDecoder(first.video.content_type), set[int]()
    out: list[DecodedUnit] = []
    for number, picture in enumerate(pictures):
        assert picture.unit is not None
        assert picture.unit.video is not None
        try:
            unit = reader.read(picture.unit.payload)
        except MalformedError as error:
            proof.lose(str(error))
            continue
        found = proof.take(unit, number, picture.unit.video.gap or "")
        if found.restart:
            out += decoder.flush()
        if found.fed:
            try:
                out += decoder.feed(picture.unit.payload, number)
            except PoisonError:
                proof.lose("the decoder refused it")
                continue
        if found.proven:
            whole.add(number)
    out += decoder.flush()
    return {
        item.number: np.asarray(item.frame.to_ndarray(format="bgr24"), np.uint8)
        for item in out
        if item.number in whole and not item.damaged
    }
