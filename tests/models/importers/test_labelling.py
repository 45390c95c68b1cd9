"""Labelling: classes by folder, by CSV or from the format, and which pictures have none."""

import pytest

from models.data.importers import labelling
from models.data.importers.errors import SourceRefused


def by_name(labels):
    return [None if number is None else labels.classes[number] for number in labels.numbers]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["cats/1.png", "dogs/2.png"], ["cats", "dogs"]),
        (["pets/cats/1.png", "pets/dogs/2.png"], ["cats", "dogs"]),
        (["a/b/cats/1.png", "a/b/dogs/deep/er/2.png"], ["cats", "dogs"]),
        (["train/cats/1.png", "test/cats/2.png", "train/dogs/3.png"], ["cats", "cats", "dogs"]),
        (["pets/Train/cats/1.png", "pets/val/dogs/2.png"], ["cats", "dogs"]),
    ],
)
def test_folders_are_classes(names, classes):
    assert by_name(labelling.by_folders(names)) == classes


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["cats/1.png", "cats/2.png"], ["a/b/1.png"], []])
def test_a_single_folder_is_no_class(names):
    labels = labelling.by_folders(names)
    assert (labels.classes, labels.numbers) == ((), (0,) * len(names))


def test_a_picture_beside_the_folders_has_no_class():
    labels = labelling.by_folders(["cats/1.png", "dogs/2.png", "3.png"])
    assert labels.numbers == (0, 1, None)
    assert "beside the folders" in labels.lacking


def test_classes_are_in_the_order_that_people_expect():
    assert labelling.given(["10", "9", "b", "a2", "a10", "9"]).classes == ("9", "10", "a2", "a10", "b")


def test_a_csv_gives_classes_by_file():
    names = ["pets/x/1.png", "pets/y/2.png", "pets/3.png", "pets/4.png"]
    labels = labelling.by_csv("File,Label\nx/1.png,cat\npets/y/2.png,dog\n3.png,cat\n", names)
    assert by_name(labels) == ["cat", "dog", "cat", None]
    assert "labels.csv" in labels.lacking


@pytest.mark.parametrize("content", ["", "name,class\n1.png,cat\n", 'file,label\n"1.png,cat\n'])
def test_a_csv_that_cannot_be_read_says_what_is_expected(content):
    with pytest.raises(SourceRefused, match=r"labels\.csv"):
        labelling.by_csv(content, ["1.png"])


def test_names_of_classes_hold_no_control_characters():
    assert labelling.given(["a\x00b\n", "c"]).classes == ("a�b", "c")
