"""Stories begin where they have to: in an empty town, or in one whose members have their receipts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.memory_town import MemoryTown, make_brisk
from tests.faults.shop_story import ShopStory, community_with


@pytest.fixture(scope="module", autouse=True)
def _brisk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_brisk(patch)
        yield


@pytest.fixture(scope="session")
def _collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machines' directories as they are when every member has its receipts."""
    place = tmp_path_factory.mktemp("collected") / "town"

    async def collect() -> None:
        story = ShopStory(MemoryTown(place, community_with()))
        async with story.town.running():
            await story.found()
            await story.collect()
            await story.is_quiet()

    asyncio.run(collect())
    return place


@pytest.fixture
def story(tmp_path: Path) -> ShopStory:
    """Nothing has happened yet."""
    return ShopStory(MemoryTown(tmp_path, community_with()))


@pytest.fixture
def collected_story(tmp_path: Path, _collected: Path) -> ShopStory:
    """Every member has its receipts."""
    place = tmp_path / "town"
    shutil.copytree(_collected, place)
    story = ShopStory(MemoryTown(place, community_with()))
    story.note_collected()
    return story
