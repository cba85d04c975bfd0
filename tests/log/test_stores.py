"""The stores that come with the package, under the shared suite."""

from pathlib import Path

from ectype.log.stores.base import Store
from ectype.log.stores.files import FilesStore
from ectype.log.stores.memory import MemoryStore
from tests.log.store_suite import StoreSuite


class TestMemory(StoreSuite):
    def make(self, folder: Path) -> Store:
        return MemoryStore()

    def again(self, store: Store, folder: Path) -> Store:
        return store


class TestFiles(StoreSuite):
    def make(self, folder: Path) -> Store:
        return FilesStore(folder)

    def again(self, store: Store, folder: Path) -> Store:
        return FilesStore(folder)


class TestFilesInSmallSegments(StoreSuite):
    def make(self, folder: Path) -> Store:
        return FilesStore(folder, segment_bytes=4000)

    def again(self, store: Store, folder: Path) -> Store:
        return FilesStore(folder, segment_bytes=4000)
