#!/usr/bin/env python3
"""Writes the headers of the RTP packets that leave by an interface, one JSON line each: what travels in the clear.

    sniff.py INTERFACE SECONDS FILE

Times are the kernel's, in microseconds, from the moment it hands the packet to the interface.
"""

import json
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
UDP = 17


def extensions(packet, at):
    """The header extensions (RFC 8285) by id, and where the payload begins."""
    profile, words = struct.unpack_from("!HH", packet, at)
    at, end, found = at + 4, at + 4 + 4 * words, {}
    while at < end:
        if packet[at] == 0:
            at += 1
            continue
        if profile == 0xBEDE:
            number, size, at = packet[at] >> 4, (packet[at] & 15) + 1, at + 1
        else:
            number, size, at = packet[at], packet[at + 1], at + 2
        found[number] = packet[at : at + size].hex()
        at += size
    return found, end


def main():
    interface, seconds, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    tap.bind((interface, 0))
    tap.settimeout(0.2)
    end = time.monotonic() + seconds
    with open(path, "w") as out:
        while time.monotonic() < end:
            try:
                frame, control, _, address = tap.recvmsg(65_536, 128)
            except TimeoutError:
                continue
            # Only what goes out, and only UDP over IPv4.
            if address[2] != socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != UDP:
                continue
            packet = frame[14 + 4 * (frame[14] & 15) + 8 :]
            # RTP, by RFC 7983 and RFC 5761.
            if len(packet) < 12 or packet[0] >> 6 != 2 or 64 <= packet[1] & 127 < 96:
                continue
            stamp = struct.unpack("qq", control[0][2][:16])
            seq, ts, ssrc = struct.unpack_from("!HII", packet, 2)
            start, found = 12 + 4 * (packet[0] & 15), {}
            try:
                if packet[0] & 16:
                    found, start = extensions(packet, start)
            except (IndexError, struct.error):
                continue  # something else that only looks like it
            row = {
                "at": stamp[0] * 1_000_000 + stamp[1] // 1000, "ssrc": ssrc, "pt": packet[1] & 127, "marker": packet[1] >> 7,
                "seq": seq, "ts": ts, "bytes": len(packet), "payload": len(packet) - start, "extensions": found,
            }
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
