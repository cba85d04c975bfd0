"""The documents fold gives back what was written, from any start."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from ectype.collab.documents import KIND, MEDIA_TYPE, Documents, subject_of
from ectype.log.entry import Entry, seal
from ectype.trust.keys import Signer

SIGNER = Signer.from_seed(bytes(32))


def entry(name: str, update: bytes, kind: str = KIND) -> Entry:
    return seal(SIGNER, kind=kind, subject=subject_of(name), body=update, media=MEDIA_TYPE, at_ns=0)


def typed(words: list[str]) -> list[bytes]:
    """The update of each word, as an editor sends them."""
    doc: Doc = Doc()
    doc["note"] = text = Text()
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    for word in words:
        text += word
    return updates


def read(documents: Documents, name: str) -> str:
    doc: Doc = Doc()
    doc["note"] = text = Text()
    for update in documents.updates(name):
        doc.apply_update(update)
    return str(text)


@given(st.lists(st.text("abc ", min_size=1, max_size=4), min_size=1, max_size=30))
def test_a_document_holds_everything_that_was_typed(words: list[str]) -> None:
    documents = Documents.open()
    for index, update in enumerate(typed(words)):
        documents.apply(index, entry("note-1", update))
    assert read(documents, "note-1") == "".join(words)
    assert documents.size == len(words)
    documents.close()


def test_many_small_updates_are_merged_and_nothing_changes() -> None:
    documents = Documents.open()
    words = [f"{i} " for i in range(600)]
    for index, update in enumerate(typed(words)):
        documents.apply(index, entry("note-1", update))
    assert len(documents.updates("note-1")) < 300
    assert read(documents, "note-1") == "".join(words)
    documents.close()


def test_documents_do_not_mix_and_other_entries_only_move_the_size() -> None:
    documents = Documents.open()
    (hello,), (world,) = typed(["hello"]), typed(["world"])
    documents.apply(0, entry("a", hello))
    documents.apply(1, entry("a", b"not for us", kind="twin.put"))
    documents.apply(2, entry("b", world))
    assert (read(documents, "a"), read(documents, "b"), documents.names()) == ("hello", "world", ["a", "b"])
    assert documents.size == 3
    documents.close()


def test_what_was_saved_is_there_again_and_what_was_not_is_asked_for_again(tmp_path: Path) -> None:
    class FakeLog:
        size = 10

        def root(self, size: int | None = None) -> bytes:
            return b"root of %d" % (size or 0)

        def read(self, start: int, stop: int | None = None):
            raise AssertionError

    log = FakeLog()
    updates = typed(["one ", "two "])
    documents = Documents.open(tmp_path, log)
    documents.apply(0, entry("a", updates[0]))
    documents.save()
    documents.apply(1, entry("a", updates[1]))  # and then the process dies
    documents.close(save=False)
    again = Documents.open(tmp_path, log)
    assert (again.size, read(again, "a")) == (1, "one ")
    again.apply(1, entry("a", updates[1]))
    assert read(again, "a") == "one two "
    again.close()
    log.size = 0  # another, shorter log: what is here is not of it
    other = Documents.open(tmp_path, log)
    assert other.size == 0
    other.close()


def test_a_damaged_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "documents.sqlite").write_bytes(b"this is no database" * 100)
    documents = Documents.open(tmp_path)
    assert documents.size == 0
    documents.close()
