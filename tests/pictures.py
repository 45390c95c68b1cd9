"""Files of small pictures to import."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, *, size: tuple[int, int] = (40, 36), form: str = "PNG") -> bytes:
    """Return an encoded picture of smooth random colours, another for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def archive(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def cats_and_dogs(path: Path, *, number: int = 40, make: Callable[[int], bytes] = picture) -> Path:
    """Write a zip archive of pictures in two folders."""
    return archive(path, ((f"pets/{('cats', 'dogs')[seed % 2]}/{seed}.png", make(seed)) for seed in range(number)))
