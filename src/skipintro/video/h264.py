"""Reads the headers of H.264 packets: ITU-T H.264, in the units of ISO/IEC 14496-15."""

import re
from collections.abc import Iterator

from skipintro.video.sampling import IrregularStreamError

# Types of H.264's NAL units: ITU-T H.264, table 7-1.
_SLICES = range(1, 6)
_IDR_SLICE = 5
_PARAMETERS = {7, 8}  # of a sequence, of a picture: what the decoder goes by from there on

# What x264 says of itself, in the first packet alone: libav decodes by it what old builds wrote.
_ENCODER_TOLD = 6  # a NAL unit's type: supplemental enhancement information
_X264_BUILD = re.compile(rb"x264 - core (\d+)")


class Packets:
    """Looks at a video's packets, in their order, for what its decoders must know."""

    def __init__(self, header: bytes) -> None:
        self._header = header
        # By what begins otherwise, units have no lengths before them.
        self._length_bytes = (header[4] & 3) + 1 if header[:1] == b"\x01" and len(header) > 4 else 0
        self._builds: set[bytes] | None = None  # of the encoder, from the first packet

    def begins_group(self, packet: memoryview) -> bool:
        """Return whether decoding can begin at a packet that is a key frame.

        With an IDR slice it can; other key frames, of an open group of pictures, count on frames
        before them. Raises IrregularStreamError where the decoder would go by a packet from there
        on, which must not be left out then.
        """
        if not self._length_bytes:
            return False
        units = list(_units(packet, self._length_bytes))
        if any(kind in _PARAMETERS and content not in self._header for kind, content in units):
            raise IrregularStreamError
        builds = {
            build
            for kind, content in units
            if kind == _ENCODER_TOLD
            for build in _X264_BUILD.findall(content)
        }
        self._builds = builds if self._builds is None else self._builds
        if not builds <= self._builds:
            raise IrregularStreamError
        return bool(units) and units[-1][0] == _IDR_SLICE


def _units(content: memoryview, length_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of a packet's units, up to its first slice, whose content is left out.

    Units with their lengths before them, as MP4 and Matroska hold them: ISO/IEC 14496-15, 5.3.2.
    """
    place = 0
    while place + length_bytes < len(content):
        begin = place + length_bytes
        kind = content[begin] & 31
        if kind in _SLICES:
            yield kind, b""
            return
        place = begin + int.from_bytes(content[place:begin], "big")
        yield kind, bytes(content[begin:place])
