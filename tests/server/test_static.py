import gzip
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import NotFound
from ectype.server.static import Files
from tests.server.fake import FakeView, app_of, ask, message_of

CODE = b"console.log('ectype');\n" * 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("web")
    (root / "secret.txt").write_text("outside")
    static = root / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>Ectype</title>")
    (static / "favicon.svg").write_text("<svg/>")
    (static / "assets" / "index-Bx12_-9k.js").write_bytes(CODE)
    (static / "assets" / "logo.png").write_bytes(b"\x89PNG" + b"x" * 2000)
    (static / "leak.txt").symlink_to(root / "secret.txt")
    (static / ".hidden").write_text("hidden")
    return static


def get(folder: Path, path: str, **headers: str):
    named = {name.replace("_", "-"): value for name, value in {"accept_encoding": "identity", **headers}.items()}
    return ask(app_of(FakeView(), static=folder), path, headers=named)


def test_the_page_is_at_the_root_and_always_asked_for_again(folder: Path) -> None:
    response = get(folder, "/")
    assert response.text.startswith("<!doctype html>")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


def test_a_hashed_name_is_kept_for_a_year(folder: Path) -> None:
    response = get(folder, "/assets/index-Bx12_-9k.js")
    assert response.content == CODE
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert get(folder, "/assets/logo.png").headers["cache-control"] == "no-cache"


def test_what_the_browser_has_is_not_sent_again(folder: Path) -> None:
    tag = get(folder, "/").headers["etag"]
    response = get(folder, "/", if_none_match=tag)
    assert (response.status_code, response.content) == (304, b"")


def test_text_is_compressed_for_those_who_take_it(folder: Path) -> None:
    path = "/assets/index-Bx12_-9k.js"
    packed = get(folder, path, accept_encoding="br, gzip;q=0.8")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == CODE
    assert int(packed.headers["content-length"]) == len(gzip.compress(CODE, 6))
    assert packed.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in get(folder, path, accept_encoding="gzip;q=0, br").headers
    assert "content-encoding" not in get(folder, "/assets/logo.png", accept_encoding="gzip").headers


def test_a_new_build_shows_at_once(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("old")
    app = app_of(FakeView(), static=tmp_path)
    assert ask(app, "/").text == "old"
    (tmp_path / "index.html").write_text("newer")
    assert ask(app, "/").text == "newer"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/leak.txt",
        "/.hidden",
        "/assets",
        "/assets/",
        "//secret.txt",
        "/index.html%00.png",
        "/C:/secret.txt",
        "/nope.js",
    ],
)
def test_no_path_leads_out_of_the_folder(folder: Path, path: str) -> None:
    response = ask(app_of(FakeView(), static=folder), f"http://127.0.0.1:8787{path}")
    assert response.status_code == 404
    assert "outside" not in response.text


@given(
    st.lists(
        st.sampled_from(["..", ".", "", "assets", "secret.txt", "index.html", "\\", "%2e", "~", "\x00"]), max_size=6
    )
)
def test_whatever_is_found_is_inside(folder: Path, parts: list[str]) -> None:
    try:
        found = Files(folder).find("/".join(parts))
    except NotFound:
        return
    assert found.is_relative_to(folder.resolve())


@given(st.text(max_size=40))
def test_any_path_is_answered(path: str) -> None:
    url = "http://127.0.0.1:8787/" + quote(path, safe="", errors="replace")
    assert ask(app_of(FakeView()), url).status_code in (200, 404)


@pytest.mark.parametrize("static", [None, Path("nowhere")])
def test_without_a_build_the_page_says_how_to_make_one(static: Path | None) -> None:
    app = app_of(FakeView(), static=static)
    response = ask(app, "/")
    assert response.status_code == 200
    assert "pip install ." in response.text
    assert "/api/space" in response.text
    assert "not built" in message_of(ask(app, "/assets/index.js"))


def test_a_file_that_cannot_be_read_is_told_like_any_failure_and_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(file: Path, stamp: tuple[int, int]) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("ectype.server.static._read", fails)
    response = get(folder, "/")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "Internal"
    assert "the disk is gone" not in response.text
    assert "the disk is gone" in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"
