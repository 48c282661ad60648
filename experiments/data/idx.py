"""Idx files, the form of MNIST: read whole, with their size and checksum checked."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from device_models.files import FileError, read_limited
from experiments.data.image_set import DataError

IDX_BYTES = 2**30
"""Most that is read of one file, packed or not; the largest of MNIST has 47 MB."""


def read_idx(path: Path, dimensions: int, sha256: str | None = None) -> Tensor:
    """The uint8 array of `dimensions` in an idx file, compressed when it ends in .gz.

    `sha256`: of the decompressed bytes, None for any content.
    Errors: DataError naming the file and its fault. No more is inflated than the header claims.
    """
    try:
        packed = read_limited(path, IDX_BYTES)
        with _unpacked(path, packed) as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(header, dimensions)
            n_bytes = math.prod(shape)
            if n_bytes > IDX_BYTES:
                raise DataError(f"its header claims {n_bytes} bytes, more than {IDX_BYTES}")
            body = file.read(n_bytes + 1)
        _check(header, body, n_bytes, sha256)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except FileError as error:
        raise DataError(str(error)) from None
    except EOFError as error:
        raise DataError(f"{path}: truncated ({error})") from None
    except (OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or f"damaged ({error})"
        raise DataError(f"{path}: {reason}") from None
    # A bytearray, as torch warns about tensors over memory that cannot be written.
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)


def _unpacked(path: Path, packed: bytes) -> IO[bytes]:
    if path.suffix != ".gz":
        return io.BytesIO(packed)
    return gzip.GzipFile(fileobj=io.BytesIO(packed))  # type: ignore[return-value]


def _shape(header: bytes, dimensions: int) -> tuple[int, ...]:
    """Sizes in the header: magic number (0, 0, 8 = unsigned byte, dimensions), then big-endian."""
    if len(header) < 4 + 4 * dimensions:
        raise DataError("truncated: it ends within its header")
    if header[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"wrong magic number {header[:4].hex()}, expected 0000080{dimensions}")
    return struct.unpack_from(f">{dimensions}I", header, 4)


def _check(header: bytes, body: bytes, n_bytes: int, sha256: str | None) -> None:
    if len(body) < n_bytes:
        raise DataError(f"truncated: {len(body)} of {n_bytes} bytes")
    if len(body) > n_bytes:
        raise DataError(f"longer than its {n_bytes} bytes")
    if n_bytes == 0:
        raise DataError("holds nothing")
    if sha256 and hashlib.sha256(header + body).hexdigest() != sha256:
        raise DataError("wrong checksum: not the published file (verify=False takes other data)")
