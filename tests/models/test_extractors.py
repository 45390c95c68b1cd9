"""Extractors: what they know, and that the features of real images are measured once."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from models import data
from models.evaluators import EXTRACTORS, ExtractorMissing, References, frechet, kid
from models.evaluators.extractors import efficientnet, inception
from models.evaluators.reference import Reference, stratified

BELL_COTE, PALACE, DAISY = 442, 698, 985


def test_imagenets_network_recognises_what_photos_show() -> None:
    """Its classes are published with it: a temple, and a flower."""
    stored = torch.load(io.BytesIO(efficientnet.weights()), weights_only=True)
    tops = []
    for photo in load_sample_images().images:
        side = min(photo.shape[:2])
        image = Image.fromarray(photo).crop((0, 0, side, side)).resize((224, 224), Image.Resampling.BICUBIC)
        features = efficientnet.features(torch.tensor(np.asarray(image)).permute(2, 0, 1)[None])
        logits = features @ stored["_fc.weight"].T + stored["_fc.bias"]
        tops.append(set(logits[0].topk(3).indices.tolist()))
    assert tops[0] & {BELL_COTE, PALACE}
    assert DAISY in tops[1]


def test_grey_images_have_the_features_of_their_copies_in_colour() -> None:
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 32, 32), np.uint8))
    torch.testing.assert_close(efficientnet.features(grey), efficientnet.features(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("name", ["garments", "imagenet", "random"])
def test_features_come_in_the_promised_shape_whatever_the_count(name: str) -> None:
    extractor = EXTRACTORS[name]
    side = 28 if name == "garments" else 16
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (101, 1, side, side), np.uint8))
    if name == "imagenet":
        images = images[:3]
    found = extractor.of(images)
    assert (found.shape, found.dtype) == ((len(images), extractor.dimensions), torch.float32)
    torch.testing.assert_close(extractor.of(images[:2]), found[:2], rtol=1e-4, atol=1e-4)
    assert len(extractor.digest) == 64


def test_random_features_are_the_same_in_another_process() -> None:
    script = (
        "import torch; from models.evaluators import EXTRACTORS; "
        "print(EXTRACTORS['random'].of(torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)).sum().item())"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    own = EXTRACTORS["random"].of(torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)).sum().item()
    assert float(told) == pytest.approx(own)


def images(number: int, *, classes: int = 1) -> data.ImageData:
    pixels = np.random.default_rng(number).integers(0, 256, (number, 1, 8, 8), np.uint8)
    return data.ImageData(images_NCHW=pixels, labels=np.arange(number, dtype=np.int64) % classes)


def test_a_sample_keeps_the_classes_in_proportion_and_is_the_same_each_time() -> None:
    labels = np.repeat(np.arange(3), [7000, 2500, 500])
    chosen = stratified(labels, 1000)
    assert np.bincount(labels[chosen]).tolist() == [700, 250, 50]
    assert (chosen == stratified(labels, 1000)).all()
    assert (np.sort(stratified(labels, 20_000)) == np.arange(10_000)).all()


@pytest.mark.parametrize("number", [1000, 10_000])
def test_a_part_of_a_sample_of_sorted_classes_is_a_sample_too(number: int) -> None:
    labels = np.repeat(np.arange(2), 5000)
    assert 0.4 < labels[stratified(labels, number)][:500].mean() < 0.6


def test_the_holdout_is_the_reference_unless_it_is_too_small() -> None:
    train, holdout = images(500), images(200)
    held = References.of(train, holdout)
    assert (held.held_out, held.real.digest) == (True, Reference.of(holdout, cache=None).digest)
    assert len(held.train) == len(held.real), "memorisation compares equally many"
    for small in (None, images(99)):
        assert References.of(train, small).held_out is False


def test_features_of_real_images_are_measured_once_and_kept_for_other_processes(tmp_path: Path) -> None:
    looks = []

    def look(images_NCHW: torch.Tensor) -> torch.Tensor:
        looks.append(len(images_NCHW))
        return images_NCHW.flatten(1).float()

    extractor = replace(EXTRACTORS["random"], features=look)
    device = torch.device("cpu")
    first = Reference.of(images(300), cache=tmp_path)
    found = first.features(extractor, device=device)
    assert first.features(extractor, device=device) is found
    again = Reference.of(images(300), cache=tmp_path).features(extractor, device=device)
    assert torch.equal(again, found)
    assert sum(looks) == 300
    Reference.of(images(301), cache=tmp_path).features(extractor, device=device)
    assert sum(looks) == 601
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    Reference.of(images(300), cache=tmp_path).features(extractor, device=device)
    assert sum(looks) == 901


def test_what_the_optional_extra_lacks_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ExtractorMissing, match="saddle-gan\\[fidelity\\]"):
        EXTRACTORS["inception"].of(torch.zeros((1, 1, 8, 8), dtype=torch.uint8))


def test_inceptions_figures_are_those_of_torch_fidelity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The published weights have to be downloaded: any weights show whether the protocol is the same."""
    fidelity = pytest.importorskip("torch_fidelity")
    published = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    weights = tmp_path / "checkpoints" / published.URL_INCEPTION_V3.rpartition("/")[2]
    weights.parent.mkdir()
    torch.manual_seed(0)
    monkeypatch.setattr(torch, "load", lambda *_, **__: {})
    monkeypatch.setattr(published.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    made = published.FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path="unread")
    monkeypatch.undo()
    torch.save(made.state_dict(), weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    inception.network.cache_clear()
    source = np.random.default_rng(0)
    one, other = (torch.from_numpy(source.integers(0, most, (64, 3, 32, 32), np.uint8)) for most in (256, 200))

    class Images(torch.utils.data.Dataset[torch.Tensor]):
        def __init__(self, images_NCHW: torch.Tensor) -> None:
            self.images_NCHW = images_NCHW

        def __len__(self) -> int:
            return len(self.images_NCHW)

        def __getitem__(self, number: int) -> torch.Tensor:
            return self.images_NCHW[number]

    theirs = fidelity.calculate_metrics(
        input1=Images(one),
        input2=Images(other),
        fid=True,
        kid=True,
        kid_subset_size=64,
        kid_subsets=1,
        feature_extractor_weights_path=str(weights),
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,
    )
    features = [inception.features(images) for images in (one, other)]
    fid = frechet.distance(frechet.Gaussian.of(features[0]), features[1])
    assert fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert kid.mmd2(*features) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    inception.network.cache_clear()
