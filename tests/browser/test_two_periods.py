"""Two periods of one study for one member in one browser: it is asked about what changed much, and told what did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import Person
from tests.browser.town import BY_CLIENT, TITLE, Town, table_rows

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

NEXT = "Energy use of bakeries, a year later"
MEDIAN = "1/2"


@pytest.fixture
def own_town(chromium: Browser, tmp_path: Path) -> Iterator[Town]:
    """Another than that of the other tests: it goes on after its first study."""
    with Town(tmp_path) as town:
        yield town


def test_what_changed_since_the_last_period_is_told_in_the_next(
    chromium: Browser, own_town: Town, tmp_path: Path
) -> None:
    town, row = own_town, table_rows()[BY_CLIENT]
    one = Person(chromium, town)
    one.join("P-1", "Bakery Rise", region=row["region"].title(), folder=tmp_path)
    one.type_figures(row)
    one.send()
    before = finish(one, town)
    assert one.page.locator(".change").count() == 0

    town.begin_another_period(NEXT, by_client=32)
    one.page.reload()
    one.page.get_by_role("button", name=NEXT).click()
    one.field("electricity").wait_for()
    one.field("flour").fill("0.3")
    one.field("gas").focus()
    last_time = one.say("form.ask.last_time", shown="0.3", last=row["flour"])
    expect(one.figure("flour")).to_contain_text(last_time)  # kept on this device
    later = {**row, "electricity": str(3 * int(row["electricity"]))}
    one.type_figures(later)
    for name in ("electricity", "electricity_per_tonne"):
        box = one.figure(name).get_by_label(one.say("form.ask.yes"))
        if box.is_visible():
            box.check()
    one.send()
    after = finish(one, town, title=NEXT)
    change = one.page.locator(".result", has=one.heading("Electricity")).first.locator(".change")
    expect(change).to_contain_text(TITLE)
    for key, old, new in (
        ("own", int(row["electricity"]), int(later["electricity"])),
        ("median", before, after),
    ):
        values = {"from": f"{old:,}", "to": f"{new:,}", "change": f"{new - old:+,}" if new != old else "0"}
        expect(change).to_contain_text(one.say(f"change.{key}", **values))
    one.close()
    assert one.faults == []


def finish(one: Person, town: Town, *, title: str | None = None) -> int:
    """The study closes, everything is asked, the member reads it; the published median of electricity."""
    town.close()
    result = town.ask()
    one.page.reload()
    if title is not None:
        one.page.get_by_role("button", name=title).click()
    one.heading(one.say("result.heading")).wait_for()
    (quartiles,) = (
        cell.values
        for cell in result.cells
        if cell.figures == ("electricity",) and len(cell.values or ()) == 3
    )
    return int(quartiles[1])
