"""Metrics on features: against independent definitions, on cases whose order is known, and where none can be told."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from models.evaluators import classes as classes_of
from models.evaluators import clusters, frechet, kid, measured, memorisation, neighbours, paths
from models.evaluators.measured import NotMeasurable


def cloud(number: int, dimensions: int = 16, *, seed: int = 0, scale: float = 1.0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=torch.Generator().manual_seed(99))
    return scale * torch.randn(number, dimensions, generator=source) @ mixing


# Frechet distances


def test_the_distance_is_that_of_scipys_matrix_root() -> None:
    real, fake = cloud(1000).exp().clamp(max=50), cloud(900, seed=1, scale=1.2).exp().clamp(max=50)
    means = [features.double().numpy().mean(0) for features in (real, fake)]
    covariances = [np.cov(features.double().numpy().T) for features in (real, fake)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet.fid(real, fake).value == pytest.approx(expected, rel=1e-6)


def test_distance_of_shifted_and_scaled_clouds() -> None:
    points = cloud(500, 8)
    gaussian = frechet.Gaussian.of(points)
    assert frechet.distance(gaussian, points) == pytest.approx(0, abs=1e-5)
    assert frechet.distance(gaussian, points + 2) == pytest.approx(8 * 4)
    centred = points - points.mean(0)
    expected = torch.cov(centred.double().T).trace().item() * (3 - 1) ** 2
    assert frechet.distance(frechet.Gaussian.of(centred), 3 * centred) == pytest.approx(expected, rel=1e-5)


def test_distance_does_not_mind_dead_features() -> None:
    points = cloud(300, 8)
    points[:, 3:] = 0
    assert frechet.fid(points, points).value == pytest.approx(0, abs=1e-4)


def test_an_interval_holds_the_value_of_another_draw() -> None:
    real = cloud(5000)
    values = [frechet.fid(real, cloud(2000, seed=seed, scale=1.1)) for seed in range(1, 13)]
    truth = frechet.fid(real, cloud(20_000, seed=50, scale=1.1)).value
    assert sum(figure.low <= truth <= figure.high for figure in values) >= 9
    assert all(math.isfinite(figure.high - figure.low) for figure in values)


def test_main_components_and_extrapolation_lessen_the_bias_of_few_images() -> None:
    real, other = cloud(1300, 128), cloud(1300, 128, seed=1)
    plain = frechet.distance(frechet.Gaussian.of(real), other)
    assert frechet.fd64(real, other).value < 0.8 * plain
    assert abs(frechet.fid_infinity(real, other).value) < plain


# KID


def test_kid_is_the_unbiased_estimate_and_may_be_negative() -> None:
    real, fake = cloud(300).double().numpy(), cloud(300, seed=1).double().numpy()

    def kernel(one, other):
        return (one @ other.T / one.shape[1] + 1) ** 3

    within = [(kernel(x, x).sum() - np.trace(kernel(x, x))) / (300 * 299) for x in (real, fake)]
    expected = sum(within) - 2 * kernel(real, fake).mean()
    assert kid.mmd2(torch.tensor(real), torch.tensor(fake)) == pytest.approx(expected, rel=1e-9)
    values = [kid.kid(cloud(500, seed=seed), cloud(500, seed=seed + 100)) for seed in range(1, 13)]
    assert min(figure.value for figure in values) < 0 < max(figure.value for figure in values)
    assert sum(figure.low <= 0 <= figure.high for figure in values) >= 9


# Nearest neighbours


def by_definition(real: Tensor, fake: Tensor, neighbours_: int) -> dict[str, float]:
    """As Naeem et al. 2020 define them: all distances at once."""
    one, other = real.double().numpy(), fake.double().numpy()

    def distances(x, y):
        return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))

    radii = [np.sort(distances(x, x), axis=1)[:, neighbours_] for x in (one, other)]
    between = distances(one, other)
    return {
        "precision": (between <= radii[0][:, None]).any(0).mean(),
        "recall": (between <= radii[1][None]).any(1).mean(),
        "density": (between <= radii[0][:, None]).sum(0).mean() / neighbours_,
        "coverage": (between <= radii[0][:, None]).any(1).mean(),
    }


def test_precision_recall_density_and_coverage_are_as_defined() -> None:
    real, fake = cloud(400, 6), cloud(350, 6, seed=1, scale=0.9)
    found = neighbours.precision_recall(real, fake)
    expected = by_definition(real, fake, neighbours.PRECISION_NEIGHBOURS)
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(
        {name: expected[name] for name in found}, rel=1e-9
    )
    found = neighbours.density_coverage(real, fake)
    expected = by_definition(real, fake, neighbours.DENSITY_NEIGHBOURS)
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(
        {name: expected[name] for name in found}, rel=1e-9
    )


@pytest.mark.parametrize("points", [cloud(500, 96), torch.full((500, 96), 0.37), cloud(1, 96).repeat(500, 1) * 1e6])
def test_equal_sets_are_precise_and_recalled_exactly_even_as_one_point(points: Tensor) -> None:
    found = neighbours.precision_recall(points, points.clone())
    assert (found["precision"].value, found["recall"].value) == (1.0, 1.0)


def test_a_collapsed_generator_is_precise_at_best() -> None:
    real = cloud(500, 96)
    found = neighbours.precision_recall(real, real.mean(0).repeat(500, 1))
    assert found["recall"].value < 0.02
    assert neighbours.density_coverage(real, real[:1].repeat(500, 1))["coverage"].value < 0.05


def test_precision_and_recall_tell_dropped_modes_from_invented_ones() -> None:
    left, right = cloud(400, 4), cloud(400, 4, seed=1) + 50
    both = torch.cat([left, right])
    dropped = neighbours.precision_recall(both, cloud(800, 4, seed=2))
    assert dropped["precision"].value > 0.8
    assert 0.3 < dropped["recall"].value < 0.6
    invented = neighbours.precision_recall(left, both)
    assert 0.3 < invented["precision"].value < 0.6
    assert invented["recall"].value > 0.7


# Clusters and memorisation


def test_a_kind_of_image_that_is_left_out_is_a_missing_cluster() -> None:
    def kinds(*left_out: int, seed: int = 0) -> Tensor:
        shown = [kind for kind in range(10) if kind not in left_out]
        parts = [cloud(200, 8, seed=seed + kind) + 40 * torch.eye(10)[kind, :8] * (kind + 1) for kind in shown]
        return torch.cat(parts)

    assert clusters.coverage(kinds(), kinds(seed=100))["missing_clusters"].value == 0
    found = clusters.coverage(kinds(), kinds(3, seed=100))
    assert found["missing_clusters"].value >= 1
    assert found["least_cluster"].value < clusters.MISSING_BELOW


def test_copies_of_training_images_are_memorised_and_fresh_images_are_not() -> None:
    train, holdout = cloud(500), cloud(500, seed=1)
    fresh = memorisation.memorisation(train, holdout, cloud(500, seed=2))
    assert fresh.share.value == pytest.approx(0.5, abs=0.07)
    assert fresh.p_value > 0.01
    copies = memorisation.memorisation(train, holdout, train[100:300] + 1e-3)
    assert copies.share.low > 0.9
    assert copies.p_value < 1e-20
    assert copies.distance_train.value < copies.distance_holdout.value
    assert all(fake + 100 == real for fake, real in copies.pairs)


def test_one_real_image_that_is_the_nearest_of_all_samples_proves_no_memorisation() -> None:
    """Bad samples are alike and far from all. On which side their nearest image is, the deal of the images decides."""
    shares = []
    for seed in range(40):
        pool = cloud(600, seed=seed)[torch.randperm(600, generator=torch.Generator().manual_seed(seed))]
        found = memorisation.memorisation(pool[:300], pool[300:], 100 + 0.01 * cloud(500, seed=1))
        assert found.share.low <= 0.5 <= found.share.high
        assert found.p_value > 0.01
        shares.append(found.share.value)
    assert min(shares) < 0.2
    assert max(shares) > 0.8


def test_a_class_that_is_drawn_too_rarely_is_missing_and_real_images_are_in_balance() -> None:
    def classes(*shares: float, seed: int) -> tuple[Tensor, Tensor]:
        labels = torch.cat([torch.full((round(1000 * share),), place) for place, share in enumerate(shares)])
        return cloud(len(labels), 8, seed=seed) + 40 * torch.eye(8)[labels], labels

    real, labels = classes(0.5, 0.3, 0.2, seed=0)
    same = classes_of.balance(real, labels, classes(0.5, 0.3, 0.2, seed=1)[0])
    assert same["class_distance"].value < 0.05
    assert same["missing_classes"].value == 0
    other = classes_of.balance(real, labels, classes(0.7, 0.3, seed=2)[0])
    assert other["class_distance"].value == pytest.approx(0.2, abs=0.03)
    assert other["class_distance"].low > same["class_distance"].high
    assert other["missing_classes"].value == 1
    with pytest.raises(NotMeasurable, match="one class alone"):
        classes_of.balance(real, torch.zeros(1000), real)


def test_path_length_tells_even_changes_from_jumps() -> None:
    latents = paths.latents(1000, 32, rng=torch.Generator().manual_seed(0))
    begin, end, before, after = latents.chunk(4)
    assert latents.norm(dim=1).mean() == pytest.approx(32**0.5, rel=0.02), "all as long as latents are"
    angle, step = (torch.cosine_similarity(*two).acos() for two in ((begin, end), (before, after)))
    torch.testing.assert_close(step / angle, torch.full((1000,), paths.STEP), rtol=1e-2, atol=0)

    straight = torch.rand(1000, 1, generator=torch.Generator().manual_seed(1)) * (1 - paths.STEP)
    ends = cloud(1000), cloud(1000, seed=1)
    even = [ends[0] + share * (ends[1] - ends[0]) for share in (straight, straight + paths.STEP)]
    assert paths.path_length(torch.cat([*ends, *even])).value == pytest.approx(1, rel=1e-4)
    torn = [torch.where(share < 0.5, *ends) for share in (straight, straight + paths.STEP)]
    found = paths.path_length(torch.cat([*ends, *torn]))
    assert found.low < 1 / paths.STEP < found.high
    with pytest.raises(NotMeasurable, match="all samples are alike"):
        paths.path_length(torch.ones(4000, 8))
    with pytest.raises(NotMeasurable, match="at least 100"):
        paths.path_length(cloud(200))


# What cannot be measured

NOT_FINITE = cloud(2000, 16)
NOT_FINITE[7, 3] = math.nan


@pytest.mark.parametrize(
    ("metric", "least"),
    [
        (frechet.fid, 160),
        (frechet.fd64, 640),
        (frechet.fid_infinity, 32),
        (kid.kid, 100),
        (neighbours.precision_recall, 100),
        (neighbours.density_coverage, 100),
        (clusters.coverage, 100),
    ],
)
def test_too_few_images_or_features_that_are_not_finite_give_an_error_and_no_figure(metric, least) -> None:
    enough = cloud(2000, 16)
    for real, fake in ((cloud(1, 16), enough), (enough, cloud(least - 1, 16)), (enough, cloud(0, 16))):
        with pytest.raises(NotMeasurable, match=f"at least {least} are needed"):
            metric(real, fake)
    for real, fake in ((NOT_FINITE, enough), (enough, NOT_FINITE)):
        with pytest.raises(NotMeasurable, match="not all finite"):
            metric(real, fake)


def test_intervals_of_blocks_and_shares() -> None:
    figure = measured.by_blocks(2.0, [1.0, 2.0, 3.0])
    assert figure.value == 2.0
    assert figure.low == pytest.approx(2 - 4.302653 / math.sqrt(3), rel=1e-6)
    share = measured.of_share(1.0, 100)
    assert share.high == 1.0
    assert share.low == pytest.approx(0.9630065, rel=1e-5)
