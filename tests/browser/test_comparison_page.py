from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import numpy as np
import pytest

from clipeval.compare.job import Comparison, compare
from clipeval.evaluation import Evaluation
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.render import page_html


def evaluations(job: Comparison) -> list[Evaluation]:
    return [result.evaluation for result in job.models if result.evaluation is not None]


def best(job: Comparison) -> Evaluation:
    return max(evaluations(job), key=lambda one: one.ranks.i2t.hit_rate(1) + one.ranks.t2i.hit_rate(1))


def heads(page: Any) -> list[str]:
    return page.locator(".card h3").all_inner_texts()


def test_the_first_screen_answers_the_question_with_intervals_chance_and_what_did_not_run(
    opened, written: Path, job: Comparison
) -> None:
    page = opened(written)
    answer = page.locator("#answer").inner_text()
    rate = best(job).ranks.t2i.hit_rate(1)
    assert page.locator(".verdict").inner_text().count(f"{100 * rate:.0f}\u00a0%") >= 1
    assert "chance" in answer
    assert re.search(r"\[0\.\d\d, 0\.\d\d\]", answer)
    for result in job.models:
        if result.status == "not_run":
            assert "not run" in answer
            assert "to do:" in answer


def test_pointing_at_a_cell_tells_picture_caption_score_and_rank(
    opened, written: Path, job: Comparison
) -> None:
    page = opened(written)
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    readout = page.locator(".readout")
    words = readout.inner_text()
    evaluation, data = best(job), job.dataset
    row, column = 2, 2  # the embedded set is sorted by category already
    scores = evaluation.similarity()
    assert data.captions[column] in words
    assert data.ids[row] in words
    assert f"{scores[row, column]:.3f}" in words
    rank = 1 + int((scores[row] > scores[row, column]).sum())
    assert f"{rank} of {data.n_captions}" in words
    assert "right pair" in words
    assert readout.locator("img").count() == 1


def test_the_pointer_and_the_keyboard_agree(opened, written: Path) -> None:
    page = opened(written)
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6)
    pointed = page.locator(".readout").inner_text()
    assert "among captions" in pointed
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert "Point at a cell" in page.locator(".readout").inner_text()
    canvas.focus()
    page.keyboard.press("ArrowDown")
    assert "among captions" in page.locator(".readout").inner_text()


def test_places_of_scores_that_are_alike_are_told_as_a_range(opened, tmp_path: Path, captioned) -> None:
    data = captioned(3)
    rows = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    np.savez(tmp_path / "rows.npz", images=rows, texts=rows)
    job = compare([f"frozen:{tmp_path}/rows.npz"], data)
    path = tmp_path / "report.html"
    path.write_text(page_html(comparison_page(job, pictures=[None] * 3)), encoding="utf-8")
    page = opened(path)
    page.locator("canvas").focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    words = page.locator(".readout").inner_text()
    assert words.count("1 of 3") == 2
    page.keyboard.press("ArrowRight")
    assert page.locator(".readout").inner_text().count("2 to 3 of 3") == 1


def test_zooming_in_and_out_ends_where_it_began(opened, written: Path) -> None:
    page = opened(written)
    whole = page.locator("canvas").screenshot()
    page.locator("[data-map-in]").click()
    page.locator("[data-map-in]").click()
    page.wait_for_timeout(100)
    assert page.locator("canvas").screenshot() != whole
    page.locator("[data-map-all]").click()
    page.wait_for_timeout(100)
    assert page.locator("canvas").screenshot() == whole


def test_a_difference_of_two_models_tells_both_scores(opened, written: Path, job: Comparison) -> None:
    page = opened(written)
    page.locator("[data-map-minus]").select_option("0")
    assert "standard deviations" in page.locator("[data-map-note]").inner_text()
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    words = page.locator(".readout").inner_text()
    for evaluation in evaluations(job):
        assert f"{evaluation.similarity()[0, 0]:.3f}" in words


def test_enter_in_the_map_opens_the_picture_among_the_items(
    opened, until, written: Path, job: Comparison
) -> None:
    page = opened(written)
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('.card').length === 1")
    assert heads(page) == [job.dataset.ids[0].split("/")[-1]]


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_hit_tied_and_missed_part_the_queries_by_what_their_cards_say(
    opened, written: Path, job: Comparison, direction: str
) -> None:
    ranks = best(job).direction(direction)
    hits = ranks.hits(1)
    found = {"hit": hits >= 1, "tied": (hits > 0) & (hits < 1), "missed": hits <= 0}
    for show, which in found.items():
        page = opened(written, f"#items?direction={direction}&show={show}")
        assert page.locator(".card").count() == which.sum()
        assert page.locator(f".card .chip.{'tie' if show == 'tied' else show}").count() == which.sum()
        assert f"{which.sum() or 'None'} of {ranks.n_queries} " in page.locator(".status").inner_text()


def test_a_tie_for_the_first_place_is_neither_hit_nor_missed(opened, tmp_path: Path, captioned) -> None:
    rows = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    np.savez(tmp_path / "rows.npz", images=rows, texts=rows)
    job = compare([f"frozen:{tmp_path}/rows.npz"], captioned(3))
    path = tmp_path / "report.html"
    path.write_text(page_html(comparison_page(job, pictures=[None] * 3)), encoding="utf-8")
    for show, number in (("hit", 1), ("tied", 2), ("missed", 0)):
        assert opened(path, f"#items?show={show}").locator(".card").count() == number


def test_names_that_look_the_same_lead_to_their_own_items(opened, until, tmp_path: Path, captioned) -> None:
    data = captioned(3, ids=["a b.jpg", "a\xa0b.jpg", "c.jpg"])
    rows = np.eye(3, dtype=np.float32)
    np.savez(tmp_path / "rows.npz", images=rows, texts=rows)
    job = compare([f"frozen:{tmp_path}/rows.npz"], data)
    path = tmp_path / "report.html"
    path.write_text(page_html(comparison_page(job, pictures=[None] * 3)), encoding="utf-8")
    page = opened(path)
    page.locator(".card a.where").nth(1).click()
    until(page, "document.querySelectorAll('.card').length === 1")
    assert heads(page) == [f"“{data.captions[1]}”"]


def test_a_print_shows_what_is_folded_on_the_screen(opened, written: Path) -> None:
    page = opened(written)
    inside = page.locator("details:not([open]) > :not(summary)").first
    folded = "e => !e.checkVisibility({contentVisibilityAuto: true})"
    assert inside.evaluate(folded)
    page.emulate_media(media="print")
    assert not inside.evaluate(folded)


def test_a_print_shows_more_items_than_the_screen(opened, tmp_path: Path, captioned, frozen) -> None:
    data = captioned(230)
    job = compare([frozen(data)], data)
    path = tmp_path / "report.html"
    path.write_text(page_html(comparison_page(job, pictures=[None] * 230)), encoding="utf-8")
    page = opened(path)
    assert page.locator(".card").count() == 20
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".card").count() == 200
    assert "1 to 200 shown" in page.locator(".status").inner_text()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".card").count() == 20


def test_lost_and_gained_are_those_of_the_paired_comparison(opened, written: Path, job: Comparison) -> None:
    first, second = evaluations(job)
    lost = (second.ranks.t2i.hits(1) < first.ranks.t2i.hits(1)).sum()
    gained = (second.ranks.t2i.hits(1) > first.ranks.t2i.hits(1)).sum()
    for show, number in (("lost", lost), ("gained", gained)):
        page = opened(written, f"#items?model=0&beside=1&show={show}")
        assert page.locator(".card").count() == number
        assert page.locator(".card .sides.two").count() == number


def test_the_right_answer_is_marked_also_where_the_list_does_not_reach_it(opened, written: Path) -> None:
    page = opened(written, "#items?top=3")
    assert page.locator(".card").count() == page.locator(".card .found .right").count() == 20


def test_worst_margin_first_is_in_that_order(opened, written: Path, job: Comparison) -> None:
    page = opened(written, "#items?order=margin")
    ranks = best(job).ranks.t2i
    order = np.argsort(ranks.positive_score - ranks.rival_score, kind="stable")
    assert [head.strip("“”") for head in heads(page)] == [job.dataset.captions[at] for at in order]


def test_searching_finds_captions_and_the_address_restores_all_settings(opened, until, written: Path) -> None:
    page = opened(written)
    page.locator("input[type=search]").fill("drawing of")
    page.locator("select[name=category]").select_option(label="Food")
    page.locator("select[name=order]").select_option("rank")
    until(page, "location.hash.includes('search') && location.hash.includes('order')")
    shown, address = heads(page), page.evaluate("location.hash")
    assert shown
    assert all("drawing of" in head for head in shown)
    again = opened(written, address)
    assert heads(again) == shown
    assert again.locator("input[type=search]").input_value() == "drawing of"


def test_a_link_to_one_item_shows_it_alone(opened, until, written: Path, job: Comparison) -> None:
    page = opened(written)
    page.locator(".card a.where").nth(4).click()
    until(page, "document.querySelectorAll('.card').length === 1")
    assert heads(page) == [f"“{job.dataset.captions[4]}”"]
    page.get_by_role("link", name="show all").click()
    until(page, "document.querySelectorAll('.card').length > 1")


def test_an_address_that_says_nonsense_shows_everything(opened, written: Path) -> None:
    page = opened(written, "#items?direction=up&model=99&show=%3Cb%3E&page=-3&category=x&top=1000")
    assert page.locator(".card").count() == 20
    page = opened(written, "#map?model=99&minus=-5")
    assert page.locator("[data-map-model]").input_value() != ""


def test_the_theme_follows_the_system_and_the_button(opened, written: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(written), opened(written, scheme="dark")
    assert light.evaluate(paper) != dark.evaluate(paper)
    light.locator("#theme").click()
    assert light.evaluate(paper) == dark.evaluate(paper)
    light.reload()
    assert light.evaluate(paper) == dark.evaluate(paper)


def test_the_first_tab_skips_to_the_results(opened, written: Path) -> None:
    page = opened(written)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"


def test_every_control_has_a_name_and_every_table_its_heads(opened, written: Path) -> None:
    page = opened(written)
    assert (
        page.evaluate(
            """[...document.querySelectorAll('select, input, button, canvas')].filter((one) =>
             !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())).length"""
        )
        == 0
    )
    unheaded = "(one) => !one.caption || !one.querySelector('th[scope]')"
    assert page.evaluate(f"[...document.querySelectorAll('table')].filter({unheaded}).length") == 0
    assert page.evaluate("[...document.images].filter((one) => !one.hasAttribute('alt')).length") == 0


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_window(opened, written: Path, width: int) -> None:
    for place in ("", "#items?direction=i2t&model=0&beside=1"):
        page = opened(written, place, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_four_and_a_half(opened, written: Path, scheme: str) -> None:
    page = opened(written, "#items?model=0&beside=1", scheme=scheme)
    assert page.evaluate(CONTRAST) == []


class Counting(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()


def test_the_page_may_not_reach_the_network_even_if_it_tried(browser, written: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        page = browser.new_context().new_page()
        page.goto(written.as_uri())
        fetched = page.evaluate(
            "(url) => fetch(url, {mode: 'no-cors'}).then(() => 'reached', () => 'refused')", f"{here}/fetch"
        )
        page.evaluate(
            """(url) => {
              const picture = document.createElement('img'), script = document.createElement('script');
              picture.src = `${url}/picture`;
              script.textContent = 'window.ran = 1';
              document.body.append(picture, script);
            }""",
            here,
        )
        page.wait_for_timeout(300)
        assert fetched == "refused"
        assert page.evaluate("window.ran") is None
        assert Counting.asked == []
        page.goto(f"{here}/at-all")  # the server does listen
        assert "/at-all" in Counting.asked
        page.context.close()
        server.shutdown()
