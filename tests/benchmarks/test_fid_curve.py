"""The FID curve: a picture that shows the points that were measured."""

from xml.etree import ElementTree

from benchmarks import fid_curve

SVG = "{http://www.w3.org/2000/svg}"


def test_the_curve_runs_through_its_points_and_names_the_last() -> None:
    picture = ElementTree.fromstring(fid_curve.svg([(100, 20.0), (200, 10.0), (400, 5.0)], title="robust on digits"))
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in picture.iter(f"{SVG}circle")]
    (x1, y1), (x2, y2), (x3, y3) = dots
    assert (x3 - x2) == 2 * (x2 - x1) > 0, "images are drawn to scale"
    assert (y2 - y1) == 2 * (y3 - y2) > 0, "a smaller FID is lower"
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert "robust on digits" in texts
    assert "5.0" in texts
