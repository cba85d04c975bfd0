"""The demo, played as two people at two browsers would."""

import re

from playwright.sync_api import TimeoutError, expect


def test_the_rotor_moves_and_the_numbers_are_the_farms(visit) -> None:
    page = visit().page
    expect(page.get_by_test_id("scene")).to_be_visible()
    expect(page.get_by_test_id("total-power")).to_contain_text(re.compile(r"\d"))
    for turbine in ("R80711", "R80721", "R80736", "R80790"):
        expect(page.get_by_test_id(f"turbine-card-{turbine}")).to_be_visible()
    page.wait_for_function("window.__ectype && Number.isFinite(window.__ectype.rotorAngle('R80711'))")
    turned = """() => {
        const ids = ['R80711', 'R80721', 'R80736', 'R80790'];
        const now = ids.map((id) => window.__ectype.rotorAngle(id));
        const before = (window.__before ??= now);
        return now.some((angle, i) => Math.abs(angle - before[i]) > 0.05);
    }"""
    page.wait_for_function(turned)


def test_the_data_time_goes_on(visit) -> None:
    page = visit().page
    shown = page.get_by_test_id("data-time")
    expect(shown).to_contain_text(re.compile(r"201[45]"))
    before = shown.inner_text()
    expect(shown).not_to_have_text(before)


def test_an_alarm_appears_with_what_it_cost(visit) -> None:
    page = visit().page
    alarm = page.get_by_test_id("alarm-item").first
    expect(alarm).to_be_visible()
    expect(alarm).to_contain_text(re.compile(r"R807\d\d"))
    expect(alarm).to_contain_text("kWh")


def test_two_people_write_one_note_and_see_each_others_cursor(visit) -> None:
    ann, bob = visit().page, visit().page
    for page in (ann, bob):
        page.get_by_test_id("turbine-card-R80736").click()
        page.get_by_test_id("note-editor").locator(".cm-content").focus()
    ann.keyboard.type("Gearbox oil is due. ")
    expect(bob.get_by_test_id("note-editor")).to_contain_text("Gearbox oil is due.")
    bob.keyboard.press("End")
    bob.keyboard.type("Ordered!")
    expect(ann.get_by_test_id("note-editor")).to_contain_text("Ordered!")
    expect(ann.locator("[data-testid=remote-cursor], .cm-ySelectionCaret").first).to_be_attached()


def test_a_note_is_still_there_for_who_comes_later(visit) -> None:
    first = visit().page
    first.get_by_test_id("turbine-card-R80721").click()
    first.get_by_test_id("note-editor").locator(".cm-content").focus()
    first.keyboard.type("Left for later")
    second = visit().page
    second.get_by_test_id("turbine-card-R80721").click()
    expect(second.get_by_test_id("note-editor")).to_contain_text("Left for later")


def test_the_price_is_everybodys(visit) -> None:
    ann, bob = visit().page, visit().page
    price = ann.get_by_test_id("price-input")
    price.fill("80")
    price.press("Enter")
    expect(bob.get_by_test_id("price-input")).to_have_value(re.compile(r"^80(\.0+)?$"))


def test_one_can_go_back_in_time_and_return(visit) -> None:
    page = visit().page
    timeline = page.get_by_test_id("timeline")
    expect(timeline).to_be_visible()
    expect(page.get_by_test_id("data-time")).to_contain_text(re.compile(r"201[45]"))
    box = timeline.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    shown = page.get_by_test_id("data-time")
    expect(page.get_by_test_id("live-button")).to_be_visible()
    past = shown.inner_text()
    page.get_by_test_id("live-button").click()
    expect(shown).not_to_have_text(past)


def test_it_fits_a_phone(visit) -> None:
    page = visit(is_mobile=True, has_touch=True, viewport={"width": 390, "height": 844}).page
    expect(page.get_by_test_id("scene")).to_be_visible()
    expect(page.get_by_test_id("turbine-card-R80711")).to_be_attached()
    too_wide = """() => [...document.querySelectorAll('body *')]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.className).slice(0, 8)"""
    for narrow in (390, 360, 320):
        page.set_viewport_size({"width": narrow, "height": 844})
        fits = f"() => document.documentElement.scrollWidth <= {narrow}"
        try:
            page.wait_for_function(fits)  # the charts are drawn anew for the new width
        except TimeoutError as error:
            raise AssertionError(f"at {narrow} px too wide: {page.evaluate(too_wide)}") from error


def test_both_colour_schemes_differ_and_are_readable(visit) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme).page
        expect(page.get_by_test_id("total-power")).to_be_visible()
        seen[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert seen["light"] != seen["dark"]
