"""pip's settings, passed on to uv."""

import pytest

from embedded import pip_settings

MIRROR = """\
:env:.cert='/etc/ssl/company.pem'
:env:.find-links='/srv/wheels'
global.constraint='/etc/pip/constraints.txt'
global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
global.find-links='/elsewhere'
global.index-url='https://slow.example/simple'
install.index-url='https://mirror.example/simple'
"""


def told(listing: str) -> list[str]:
    """Return uv's flags without the first two, which are always there."""
    strategy, best, *flags = pip_settings.tell(pip_settings.read(listing)).flags
    assert (strategy, best) == ("--index-strategy", "unsafe-best-match")
    return flags


def test_nothing_configured_is_nothing_told() -> None:
    assert pip_settings.tell(pip_settings.read("")) == pip_settings.Told(["--index-strategy", "unsafe-best-match"], {})


def test_indexes_links_and_constraints_are_told() -> None:
    flags = told(MIRROR)
    assert sorted(zip(flags[::2], flags[1::2], strict=True)) == [
        ("--constraint", "/etc/pip/constraints.txt"),
        ("--default-index", "https://mirror.example/simple"),
        ("--find-links", "/srv/wheels"),
        ("--index", "https://one.example/simple"),
        ("--index", "https://two.example/simple"),
    ]


def test_certificates_proxies_and_patience_are_told_by_the_environment() -> None:
    listing = MIRROR + "user.timeout='180'\nglobal.proxy='http://proxy.example:3128'\nglobal.timeout='30'\n"
    assert pip_settings.tell(pip_settings.read(listing)).environment == {
        "SSL_CERT_FILE": "/etc/ssl/company.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_HTTP_TIMEOUT": "30",
    }


@pytest.mark.parametrize("word", ["1", "true", "Yes", "on"])
def test_without_an_index_only_links_are_told(word: str) -> None:
    listing = f"{MIRROR}:env:.no-index='{word}'\n"
    assert told(listing) == ["--no-index", "--constraint", "/etc/pip/constraints.txt", "--find-links", "/srv/wheels"]


def test_an_index_that_is_not_excluded_stays() -> None:
    assert told(":env:.no-index='false'\n:env:.trusted-host='a b'\n") == [
        *("--allow-insecure-host", "a"),
        *("--allow-insecure-host", "b"),
    ]


def test_what_changes_no_package_is_passed_over() -> None:
    assert told(":env:.disable-pip-version-check='1'\nglobal.no-cache-dir='true'\n") == []


def test_what_uv_cannot_be_told_is_an_error_that_names_it() -> None:
    with pytest.raises(pip_settings.Untold, match="client-cert"):
        pip_settings.tell(pip_settings.read("global.client-cert='/etc/ssl/me.pem'"))


def test_other_lines_are_no_settings() -> None:
    assert pip_settings.read("WARNING: nothing.here=is a setting\n\n") == {}
