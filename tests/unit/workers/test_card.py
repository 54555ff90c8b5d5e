import av
import numpy as np
import pytest

from andon.errors import PoisonError
from andon.video.pixels import BgrConverter
from tests.video_units import PLAIN_264, PLAIN_265, Encoder, stream
from workers.decoding import card


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
def test_without_a_card_it_decodes_in_software_and_says_why(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    camera = stream(encoder)
    opened = card.open_on_card(camera.content_type, "0")
    assert opened.refused.startswith("GPU 0 does not decode video: ")
    (picture,) = opened.decoder.feed(camera.units[0], 0)
    np.testing.assert_array_equal(BgrConverter().convert(picture.frame), camera.pictures[0])


@pytest.mark.parametrize("refusal", [av.error.PermissionError(1, "not permitted"), RuntimeError("no such decoder")])
def test_whatever_the_card_refuses_with_there_is_a_decoder(refusal: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(card, "HWAccel", refuses)
    opened = card.open_on_card("video/h264", "3")
    assert opened.refused.startswith(f"GPU 3 does not decode video: {type(refusal).__name__}")


def test_an_encoding_without_a_decoder_is_refused_as_ever() -> None:
    with pytest.raises(PoisonError, match="video/av1"):
        card.open_on_card("video/av1", "0")
