#!/usr/bin/env python3
"""Writes the hand-made inputs of the corpus: seed.py FOLDER. What the fuzzer found lies beside them."""
import pathlib
import struct
import sys


def u8(*values):
    return bytes(values)


def u16(value):
    return struct.pack("<H", value)


# --- ring: OPERATION SENDER and what it takes (see Program::step)

def whole(sender, size, kind=0):
    return u8(0, sender, kind) + u16(size)


def train(sender, size, cut=16384, cars=7):
    return u8(2, sender) + u16(size - 1) + u16(cut - 1) + u8(cars)


def reference(sender, size, sync=False):
    return u8(3, sender - 1, 0 if sync else 1) + u16(size)


def take():
    return u8(5, 0)


def take_sync_from(sender):
    return u8(7, sender)


def take_into(size):
    return u8(8, 0, size)


WITHDRAW = u8(9, 0)
REOPEN = u8(10, 0)
LOOK = u8(10, 1) + u16(1000)


def patch(structure, index, offset, value, size=8, how=0, sender=0):
    """STRUCTURE: 0 mailbox, 1 cell, 2 area, 3 outbox, 4 block, 5 slot; HOW: 0 set, 4 add, 8 flip."""
    width = {1: 0, 2: 1, 4: 2, 8: 3}[size]
    return u8(11, 0, sender, index, structure, width | how) + u16(offset) + value.to_bytes(size, "little")


RING = {
    "whole": whole(0, 8) + whole(1, 1000, 1) + whole(2, 16384) + take() * 3,
    "train": train(1, 40000) + whole(2, 10) + take() + train(1, 40000, cars=1) + train(1, 30000) + take() * 2,
    "reference": reference(1, 5000) + reference(2, 100, True) + LOOK + take() * 2,
    "selective": whole(1, 10) + whole(2, 20, 2) + reference(1, 30, True) + take_sync_from(1) + take_sync_from(2),
    "withdrawn": reference(1, 100, True) + WITHDRAW + take() + reference(2, 100, True) + take() + WITHDRAW,
    "small-buffer": whole(1, 100) + take_into(10) + take_into(200) + train(1, 20000) + take_into(200) + take(),
    "full": whole(1, 8) * 70 + take() * 40 + whole(2, 8) * 40,
    "area-full": whole(1, 16000) * 6 + take() * 3 + whole(2, 16000) * 3,
    "outbox-full": reference(1, 1) * 70 + take() * 70 + reference(1, 60000) * 2,
    "reopened": whole(1, 8) * 5 + REOPEN + reference(1, 100) + REOPEN + whole(2, 8) + take(),
    "mailbox-patched": whole(1, 8) + patch(0, 0, 8, 1 << 40) + whole(1, 8) + take() * 2,
    "head-patched": whole(1, 8) * 60 + patch(0, 0, 128, 7, how=4) + whole(1, 8) * 9 + take(),
    "lock-patched": patch(0, 0, 0, 0x401, 4) + whole(1, 8) + take(),
    "cell-patched": whole(1, 500) + patch(1, 0, 16, 0xffff, 2) + take() + whole(2, 500) + take(),
    "extent-patched": whole(1, 500) + patch(1, 0, 32, 32768, 8, 4) + take() + whole(2, 500),
    "train-patched": train(1, 40000) + patch(1, 1, 48, 1 << 31, 4) + take() + take(),
    "block-patched": reference(1, 5000) + patch(4, 0, 4, 0xffffffff, 4) + take(),
    "payload-patched": reference(1, 5000) + patch(4, 0, 8, 60000) + take(),
    "outbox-patched": reference(1, 100) + patch(3, 0, 8, 1 << 63) + LOOK + patch(1, 0, 8, 1, 8) + take(),
    "slot-patched": reference(2, 9) + patch(5, 0, 0, 0x300000001, 8, 0, 1) + LOOK + take(),
}

# --- attach: SHAPE and patches PART HOW OFFSET VALUE, or the file


def at(part, offset, value, size=8, how=0):
    width = {1: 0, 2: 1, 4: 2, 8: 3}[size]
    return u8(part, width | how) + u16(offset) + value.to_bytes(size, "little")


PATCHED, REHEADED, RAW = u8(0), u8(1), u8(2)
HEADER, CONTROL, BARRIER, CELLS, VIEWS, SLOTS, MAILBOX, OUTBOX = range(8)

ATTACH = {
    "intact": PATCHED,
    "empty": RAW,
    "text": RAW + b"no segment at all\n" * 10,
    "magic-only": RAW + struct.pack("<Q", 0x3165646E6F725F5F) + bytes(200),
    "header-flipped": PATCHED + at(HEADER, 32, 1, 4, 8),
    "other-layout": PATCHED + at(HEADER, 8, 9, 4),
    "capacity-1": REHEADED + at(HEADER, 32, 1, 4),
    "capacity-512": REHEADED + at(HEADER, 32, 512, 4),
    "expected-large": REHEADED + at(HEADER, 36, 0xffffffff, 4),
    "one-cell": REHEADED + at(HEADER, 40, 1, 4),
    "no-area": REHEADED + at(HEADER, 48, 1),
    "wrapping-area": REHEADED + at(HEADER, 48, 1 << 62),
    "wrapping-outbox": REHEADED + at(HEADER, 64, 1 << 63),
    "long-messages": REHEADED + at(HEADER, 56, 1 << 40),
    "no-heartbeat": REHEADED + at(HEADER, 72, 0) + at(HEADER, 80, 0),
    "policy": REHEADED + at(HEADER, 44, 77, 4),
    "registry-lock": PATCHED + at(CONTROL, 0, 0x401, 4),
    "cleanup-lock": PATCHED + at(CONTROL, 128, 0x401, 4),
    "view-number": PATCHED + at(CONTROL, 256, 1 << 63),
    "no-view": PATCHED + at(CONTROL, 256, 0),
    "token": PATCHED + at(CONTROL, 384, (1 << 64) - 1),
    "barrier": PATCHED + at(BARRIER, 8, 3) + at(BARRIER, 128, 1 << 60),
    "view-members": PATCHED + at(VIEWS, 2 * 28672 + 8, 0xffffffff, 4),
    "view-departures": PATCHED + at(VIEWS, 2 * 28672 + 12, 0xffffffff, 4),
    "slot-free": PATCHED + at(SLOTS, 0, 0),
    "slot-joining": PATCHED + at(SLOTS, 512, 1, 1),
    "slots-taken": PATCHED + b"".join(at(SLOTS, 512 * k, 1 << 32 | 2) for k in range(1, 4)),
    "died": PATCHED + at(SLOTS, 256, 1 << 30, 4),
    "outbox-tail": PATCHED + at(OUTBOX, 8, 1 << 62),
    "block-phase": PATCHED + at(CONTROL, 264, 1) + at(OUTBOX, 128, 2, 4),
    "mail-lock": PATCHED + at(MAILBOX, 0, 0x401, 4),
    "mail-tail": PATCHED + at(MAILBOX, 8, 1 << 62),
    "mail-commit": PATCHED + at(MAILBOX, 384, 77),
}

folder = pathlib.Path(sys.argv[1])
for target, inputs in (("ring", RING), ("attach", ATTACH)):
    (folder / target).mkdir(parents=True, exist_ok=True)
    for name, data in inputs.items():
        (folder / target / f"seed-{name}").write_bytes(data)
