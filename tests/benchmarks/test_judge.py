"""The judge tells garments from worse garments."""

import numpy as np

from benchmarks import judge
from models.data import fashion_mnist
from store.settings import Settings

NUMBER = 5_000


def test_real_garments_pass_and_noisy_or_one_sided_ones_do_not() -> None:
    folder = Settings().datasets_dir
    train = fashion_mnist.load(folder=folder, split="train")
    real_NHWC = train.images_NCHW[:NUMBER].transpose(0, 2, 3, 1)
    noise = np.random.default_rng(0).normal(0, 20, real_NHWC.shape)
    noisy_NHWC = np.clip(real_NHWC + noise, 0, 255).astype(np.uint8)
    shoes_NHWC = train.images_NCHW[train.labels == 9][:NUMBER].transpose(0, 2, 3, 1)
    good, noisy, shoes = (judge.judge(images, folder=folder) for images in (real_NHWC, noisy_NHWC, shoes_NHWC))
    assert good.fid < 0.5
    assert 9 < noisy.fid < 13
    assert shoes.fid > 50
    assert good.precision > 0.9 > noisy.precision
    assert good.smallest_class > 0.08
    assert shoes.smallest_class < 0.01
