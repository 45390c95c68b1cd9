"""/v1/figures: every number that a run reports is explained."""

from models.specs import figures


def test_the_figures_of_training_and_of_every_metric_are_listed(client):
    listed = client.get("/v1/figures").json()["data"]
    by_metric = {metric: {row["name"] for row in listed if row["metric"] == metric} for metric in figures.REGISTRY}
    assert by_metric == {
        "kid": {"kid"},
        "fd64": {"fd64"},
        "fid": {"fid"},
        "precision_recall": {"precision", "recall"},
        "density_coverage": {"density", "coverage"},
        "coverage": {"missing_clusters", "least_cluster"},
        "class_balance": {"class_distance", "missing_classes"},
        "memorisation": {"memorised", "distance_train", "distance_holdout"},
        "path_length": {"path_length"},
        "random_distance": {"random_distance"},
        "modes": {"modes", "high_quality", "kl"},
    }
    assert {row["name"]: row["unit"] for row in listed if row["metric"] is None}["images_per_second"] == "images/s"
    assert next(row for row in listed if row["name"] == "fid")["better"] == "lower"
