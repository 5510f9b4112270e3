"""The human test, made by the command, taken in a real browser, and added up."""

import json

import pytest
from conftest import one_line, opened, pix2color

from pix2color.errors import DataError
from pix2color.evaluation.human_test import Rate, score


@pytest.fixture(scope="module")
def page(photos, pretrained, tmp_path_factory):
    path = tmp_path_factory.mktemp("judge") / "judge.html"
    result = pix2color("judge", pretrained, "--data", photos, "--trials", 8, "--out", path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(path)
    return path


def take(tab, words):
    """Take the test by keys and taps; what was seen is in ``answers``."""
    tab.click("#begin")
    for word in words:
        assert tab.evaluate("document.getElementById('picture').naturalWidth") > 0
        tab.wait_for_selector("#real[aria-disabled=false]")
        if word == "real":
            tab.keyboard.press("ArrowLeft")
        else:
            tab.click("#coloured")
    assert tab.is_visible("#end")
    assert not tab.is_visible("#trial")


def saved(tab, path):
    with tab.expect_download() as download:
        tab.click("#save")
    download.value.save_as(path)
    return json.loads(path.read_text())


def test_the_test_is_taken_saved_and_added_up(browser, page, tmp_path):
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    said = [["real"] * 8, ["real", "coloured"] * 4]
    fooled = {"real": 0, "l1": 0}
    for file, words in zip(files, said, strict=True):
        with opened(browser, page) as tab:
            take(tab, words)
            answers = saved(tab, file)["answers"]
            shown = tab.inner_text("#rates")
            assert tab.evaluate("document.documentElement.scrollWidth") == 390
        assert [answer["said"] for answer in answers] == words
        assert sorted(answer["photo"] for answer in answers) == list(range(8))
        assert sum(answer["system"] == "real" for answer in answers) == 4
        for answer in answers:
            fooled[answer["system"]] += answer["said"] == "real"
    mine = sum(a["system"] == "l1" and a["said"] == "real" for a in answers)
    assert f"{mine} of 4" in shown
    result = pix2color("judge", "--score", *files)
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in result.stdout.splitlines()
    ]
    assert [line[0] for line in lines[2:]] == ["real", "l1"]
    for name, _, _, count in lines[2:]:
        assert count == f"{fooled[name]}/8"
    as_json = json.loads(pix2color("judge", "--score", *files, "--json").stdout)
    assert [rate["fooled"] for rate in as_json] == [fooled["real"], fooled["l1"]]


def focus(tab):
    """What has the keyboard's focus, if that can be seen."""
    ring, text = tab.evaluate("""() => {
        const style = getComputedStyle(document.activeElement);
        return [[style.outlineStyle, style.outlineWidth, style.outlineOffset],
                document.activeElement.innerText];
    }""")
    assert ring == ["solid", "3px", "2px"], text
    return text


def test_it_is_taken_by_keyboard_alone(browser, page):
    with opened(browser, page) as tab:
        press = tab.keyboard.press
        press("Tab")
        assert focus(tab) == "Begin"
        press("Enter")
        assert focus(tab) == "Photo 1 of 8"  # and neither of the answers
        press("Tab")
        assert "Real" in focus(tab)
        for count in range(1, 9):
            tab.wait_for_selector("#real[aria-disabled=false]")
            assert tab.get_by_role("status").inner_text() == f"Photo {count} of 8"
            assert tab.get_attribute("#picture", "alt") == f"Photo {count} of 8"
            press(["Enter", "ArrowRight"][count % 2])
        assert focus(tab) == "How often each was taken for real"
        assert tab.evaluate("answers.map(a => a.said)") == ["coloured", "real"] * 4
        press("Tab")
        assert focus(tab) == "Save answers"
        press("Tab")
        assert focus(tab) == "Once more"
        tab.once("dialog", lambda asked: asked.accept())  # these answers are not saved
        press("Enter")
        assert focus(tab) == "Photo 1 of 8"


def test_a_held_key_is_one_answer(browser, page):
    with opened(browser, page) as tab:
        tab.click("#begin")
        tab.focus("#real")
        for key in ("Enter", "ArrowRight"):
            before = tab.evaluate("answers.length")
            for _ in range(3):  # but the first, they are repetitions
                tab.wait_for_selector("#real[aria-disabled=false]")
                tab.keyboard.down(key)
            tab.wait_for_selector("#real[aria-disabled=false]")
            assert tab.evaluate("answers.length") == before + 1
            tab.keyboard.up(key)


def test_nobody_answers_what_they_have_not_seen(browser, page):
    with opened(browser, page) as tab:
        tab.click("#begin")
        tab.wait_for_selector("#real[aria-disabled=false]")
        tab.evaluate("say('real'); say('real'); say('real')")
        assert tab.evaluate("answers.length") == 1


def test_a_page_is_written_over_but_nothing_else(page, photos, pretrained, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("<p>mine")
    command = ("judge", pretrained, "--data", photos, "--trials", 8, "--out")
    assert "no page of ours" in one_line(pix2color(*command, other), 2)
    assert other.read_text() == "<p>mine"
    assert pix2color(*command, page).returncode == 0


def test_page_and_command_give_the_same_interval(browser, page):
    with opened(browser, page) as tab:
        for fooled, shown in ((0, 4), (3, 8), (20, 20)):
            theirs = tab.evaluate(f"wilson({fooled}, {shown})")
            assert Rate("x", fooled, shown).interval == pytest.approx(theirs)


def test_wilson_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    for fooled, shown in ((0, 10), (3, 17), (50, 100), (12, 12)):
        ours = Rate("x", fooled, shown).interval
        theirs = stats.binomtest(fooled, shown).proportion_ci(method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_a_page_needs_nothing_else(page):
    text = page.read_text("utf-8")
    assert "http:" not in text  # base64 has no colon
    assert "https:" not in text
    assert text.count("data:image/jpeg;base64,") == 16


def test_what_is_wrong_is_told_in_one_line(photos, pretrained, tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"answers": 3}')
    assert "other.json" in one_line(pix2color("judge", "--score", other), 1)
    assert "gone.json" in one_line(pix2color("judge", "--score", "gone.json"), 2)
    assert "--data" in one_line(pix2color("judge", pretrained), 2)
    command = ("judge", pretrained, pretrained, "--data", photos, "--out", tmp_path / "x.html")
    assert "name of its own" in one_line(pix2color(*command), 2)


def answered(path, said, session, model="a"):
    answers = [{"system": "gan", "said": said}, {"system": "real", "said": "real"}]
    found = {"kind": "pix2color-judge", "session": session, "models": {"gan": model}}
    path.write_text(json.dumps({**found, "answers": answers}))
    return path


def test_answers_of_several_viewers_add_up_each_session_once(tmp_path):
    files = [
        answered(tmp_path / f"{i}.json", said, session)
        for i, (said, session) in enumerate(
            [("real", "1"), ("coloured", "2"), ("real", "3"), ("real", "3")]
        )
    ]
    assert score(files) == [Rate("real", 3, 3), Rate("gan", 2, 3)]


def test_answers_about_another_model_of_that_name_do_not(tmp_path):
    files = [answered(tmp_path / f"{m}.json", "real", m, model=m) for m in "ab"]
    with pytest.raises(DataError, match="another model"):
        score(files)
