"""The web page in a real browser with a real server; screenshots are stored in output/."""

from __future__ import annotations

import base64
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest
from bent_pages import photograph, text_page
from PIL import Image
from running_gateway import running
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tritonocr_backend.server.embedded import EmbeddedServer
from tritonocr_gateway import Settings, create_app

OUTPUT = Path(__file__).parents[2] / "output"
READ_TIMEOUT_S = 60
DESKTOP, PHONE = (1280, 800), (390, 844)
FONT_PACKAGES = ("manimgx_fonts", "noto_cjk_sans_otc")


@pytest.fixture(scope="module")
def url(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(url=server.grpc_url, jobs_directory=tmp_path_factory.mktemp("jobs"))
    with running(create_app(settings)) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        message = "no chromium or chromedriver: tests/install-debian-packages.sh installs them"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # As root there is no sandbox; /dev/shm may be small.
    # page.test is this machine under a name that browsers do not trust over plain HTTP.
    for argument in (
        *("headless=new", "no-sandbox", "disable-dev-shm-usage", "force-color-profile=srgb"),
        "host-resolver-rules=MAP page.test 127.0.0.1",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(driver, env={**os.environ, "XDG_DATA_HOME": _fonts(tmp_path_factory.mktemp("data"))})
    found = webdriver.Chrome(options, service)
    found.set_script_timeout(READ_TIMEOUT_S)
    yield found
    found.quit()


def _fonts(directory: Path) -> str:
    """A data directory with the fonts that results are drawn with, for a machine without fonts."""
    (directory / "fonts").mkdir()
    for package in FONT_PACKAGES:
        spec = find_spec(package)
        assert spec, f"the fonts of {package} are missing"
        assert spec.origin
        (directory / "fonts" / package).symlink_to(Path(spec.origin).parent)
    return str(directory)


class Page:
    """The page as its user sees it."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.resize(DESKTOP)
        browser.get(url)
        self.wait(
            lambda: self.find("#options select option[value]:nth-child(2)"), "the options are not filled"
        )

    def find(self, selector: str) -> Any:
        found = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return found[0] if found else None

    def texts(self, selector: str) -> list[str]:
        """The texts of all that match, taken at one moment."""
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.textContent)"
        texts: list[str] = self.browser.execute_script(script, selector)
        return texts

    def wait(self, condition: Any, why: str) -> None:
        WebDriverWait(self.browser, READ_TIMEOUT_S, 0.05).until(lambda _: condition(), why)

    @property
    def state(self) -> str:
        return str(self.find("body").get_attribute("data-state"))

    @property
    def lines(self) -> list[str]:
        return self.texts("#lines .text")

    @property
    def message(self) -> str:
        return " ".join(self.texts("#message:not([hidden]) :is(h2, p)"))

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def open(self, *paths: Path) -> None:
        self.find("#file").send_keys("\n".join(map(str, paths)))
        self.wait_until_read()

    def wait_until_read(self) -> None:
        self.wait(lambda: self.state in ("done", "failed"), "the file is not read")
        self.wait(lambda: self.message or self.find("#lines li"), "the result is not shown")

    def choose(self, name: str, *, is_on: bool) -> None:
        """Switch an option on or off, without the form."""
        self.browser.execute_script(
            "document.querySelector(arguments[0]).checked = arguments[1]", f"[name={name}]", is_on
        )

    def save_into(self, directory: Path) -> None:
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(directory)}
        )

    def read_sample(self) -> None:
        self.click("#sample")
        self.wait_until_read()

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def hover(self, selector: str) -> None:
        ActionChains(self.browser).move_to_element(self.find(selector)).perform()

    def resize(self, size: tuple[int, int], scale: int = 1) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": scale, "mobile": size == PHONE},
        )
        self.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": size == PHONE})

    def prefer(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def screenshot(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        self.browser.save_screenshot(str(OUTPUT / f"page_{name}.png"))


@pytest.fixture
def page(browser: webdriver.Chrome, url: str) -> Iterator[Page]:
    """The newly loaded page; afterwards the browser's log must be empty."""
    browser.get_log("browser")
    yield Page(browser, url)
    complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [text for text in complaints if "422" not in text and "401" not in text]


def test_the_sample_is_read(page: Page) -> None:
    page.read_sample()
    assert {"A page in, text out", "Order 0123456789", "Total: 1280.50 EUR"} <= set(page.lines)
    assert len(page.texts("#overlay polygon")) == len(page.lines)
    assert f"{len(page.lines)} lines in" in page.find("#status").text


def test_a_box_and_its_line_are_marked_together(page: Page) -> None:
    page.read_sample()
    for hovered, marked in (("#overlay", "#lines"), ("#lines", "#overlay")):
        page.hover(f'{hovered} [data-line="3"]')
        page.wait(lambda marked=marked: page.find(f'{marked} .current[data-line="3"]'), "it is not marked")
        assert len(page.texts(".current")) == 2
    page.hover("h1")
    page.wait(lambda: not page.find(".current"), "the mark stays")


def test_a_box_lies_on_its_line(page: Page) -> None:
    """The overlay's pixels are the picture's, at every zoom."""
    page.read_sample()
    page.click("#tab-json")
    result = json.loads(page.find("#panel-json").text)
    for _ in range(2):
        stage, box = page.find(".stage").rect, page.find('#overlay [data-line="0"]').rect
        scale = stage["width"] / page.browser.execute_script("return document.images['picture'].naturalWidth")
        left = min(x for x, _ in result["rec_polys"][0])
        assert box["x"] - stage["x"] == pytest.approx(left * scale, abs=3)
        page.click("#zoom-in")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.find("#sample").send_keys(Keys.ENTER)
    page.wait_until_read()
    page.find("#lines li").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.browser.switch_to.active_element.get_attribute("data-line") == "2"
    assert page.find('#overlay .current[data-line="2"]')
    page.press(Keys.END)
    assert page.browser.switch_to.active_element.text.startswith(page.lines[-1])
    page.find("#tab-lines").send_keys(Keys.ARROW_RIGHT)
    assert page.browser.switch_to.active_element.get_attribute("id") == "tab-text"
    assert "A page in, text out" in page.find("#panel-text").text
    page.find("#show-options").send_keys(Keys.ENTER)
    assert page.find("#options").is_displayed()


def test_everything_that_can_be_used_has_a_name(page: Page) -> None:
    page.read_sample()
    page.click("#show-options")
    controls = page.browser.find_elements(
        By.CSS_SELECTOR, "button, select, a, input, [role=tab], [tabindex='0']"
    )
    nameless = [
        control.get_attribute("outerHTML")[:100]
        for control in controls
        if control.is_displayed() and not control.accessible_name
    ]
    assert not nameless


def test_pages_of_a_pdf(page: Page, corpus: Path) -> None:
    page.click("#show-options")
    page.browser.execute_script("document.querySelector('[name=maxPages]').value = 2")
    page.open(corpus / "edge" / "60_12pages.pdf")
    assert page.find("#page-number").text == "1 / 2"
    assert "The file has 12 pages; 2 of them were read." in page.find("#status").text
    assert "Page 1 of twelve" in page.lines
    page.click("#next")
    page.wait(lambda: "Page 2 of twelve" in page.lines, "the page is not turned")
    assert not page.find("#next").is_enabled()
    page.press(Keys.ARROW_LEFT)
    page.wait(lambda: "Page 1 of twelve" in page.lines, "the page is not turned back")


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ("new ClipboardEvent('paste', {clipboardData: files, bubbles: true})", "pasted"),
        ("new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true})", "dropped"),
    ],
)
def test_a_file_may_be_brought(page: Page, corpus: Path, event: str, how: str) -> None:
    content = base64.b64encode((corpus / "edge" / "01_base.jpg").read_bytes()).decode()
    page.browser.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
        "const files = new DataTransfer(); files.items.add(new File([bytes], 'brought.jpg'));"
        f"document.body.dispatchEvent({event});",
        content,
    )
    page.wait_until_read()
    assert "Second line ABC" in page.lines, how
    assert page.find("#file-name").text == "brought.jpg"


def test_options_are_the_server_s_and_take_effect(page: Page) -> None:
    page.read_sample()
    page.click("#show-options")
    assert page.find("[name=textDetLimitSideLen]").get_attribute("value") == "960"
    assert page.find("[name=useTextlineOrientation]").is_selected()
    assert "PP-OCRv4_mobile_rec" in page.texts("[name=textRecognitionModelName] option")
    before = page.lines
    score = page.find("[name=textRecScoreThresh]")
    score.clear()
    score.send_keys("0.99", Keys.ENTER)
    page.wait(lambda: page.state == "reading" or len(page.lines) < len(before), "it is not read again")
    page.wait_until_read()
    assert 0 < len(page.lines) < len(before)


def test_words_are_shown(page: Page) -> None:
    page.click("#show-options")
    page.click("[name=returnWordBox]")
    page.read_sample()
    assert len(page.texts("#overlay polygon.word")) > len(page.lines)


def test_a_file_that_cannot_be_read_is_said(page: Page, corpus: Path) -> None:
    page.open(corpus / "edge" / "30_truncated_half.jpg")
    assert page.state == "failed"
    assert page.message == "This file was not read file: the JPEG is truncated"
    assert page.find("#picture").is_displayed(), "the viewer is blank"
    page.screenshot("failed")
    page.click("#retry")
    page.wait_until_read()
    assert page.state == "failed"
    page.open(corpus / "edge" / "01_base.jpg")
    assert not page.message
    assert "Second line ABC" in page.lines


def test_a_blank_page_says_what_may_help(page: Page, corpus: Path) -> None:
    page.open(corpus / "edge" / "11_blank_white.png")
    assert page.message.startswith("No text was found on this page If there is text on it, check")
    assert page.find("#status").text.startswith("No text was found in")
    page.screenshot("blank")


def test_a_gateway_that_does_not_answer_can_be_tried_again(page: Page) -> None:
    page.browser.execute_script(
        "window.real = window.fetch; window.fetch = async () => { throw new TypeError(); }"
    )
    page.browser.execute_script(
        "const files = new DataTransfer(); files.items.add(new File(['x'], 'page.jpg'));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: files, bubbles: true}));"
    )
    page.wait(lambda: "The gateway does not answer." in page.message, "the error is not shown")
    page.browser.execute_script("window.fetch = window.real")
    page.click("#retry")
    page.wait(lambda: "expected a JPEG" in page.message, "the file is not sent again")


def test_reading_can_be_cancelled(page: Page, corpus: Path) -> None:
    page.find("#file").send_keys(str(corpus / "edge" / "60_12pages.pdf"))
    page.wait(lambda: page.find("#cancel").is_displayed(), "there is no way to cancel")
    page.click("#cancel")
    page.wait(lambda: page.state == "cancelled", "it is not cancelled")
    assert page.message.startswith("Cancelled")
    page.screenshot("cancelled")
    page.click("#retry")
    page.wait_until_read()
    assert page.state == "done"
    assert page.find("#page-number").text == "1 / 10"


def test_several_files_are_read_one_after_the_other(page: Page, corpus: Path, tmp_path: Path) -> None:
    page.save_into(tmp_path)
    names = ("60_12pages.pdf", "30_truncated_half.jpg", "01_base.jpg", "11_blank_white.png")
    page.find("#file").send_keys("\n".join(str(corpus / "edge" / name) for name in names))
    states: set[str] = set()

    def are_read() -> bool:
        states.update(page.texts("#files .state"))
        return page.find("#total").text == "4 of 4 files, 1 failed"

    page.wait(are_read, "the files are not read")
    page.wait_until_read()
    assert {"waiting", "reading"} <= states
    assert any(state.startswith("page ") and state.endswith(" of 10") for state in states)
    assert page.texts("#files .state") == ["10 pages, 20 lines", "failed", "2 lines", "0 lines"]
    page.browser.find_elements(By.CSS_SELECTOR, "#files .select")[2].click()
    assert page.lines == ["Hello World 12345", "Second line ABC"]
    page.screenshot("several")
    page.click("#save-zip")
    page.wait((tmp_path / "results.zip").exists, "the archive is not saved")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.testzip() is None
        stems = ("60_12pages", "01_base", "11_blank_white")
        assert archive.namelist() == [f"{stem}.{kind}" for stem in stems for kind in ("txt", "json")] + [
            "not-read.txt"
        ]
        assert archive.read("01_base.txt").decode() == "Hello World 12345\nSecond line ABC\n"
        assert archive.read("not-read.txt").decode() == "30_truncated_half.jpg: file: the JPEG is truncated\n"


def test_files_of_one_name_are_both_in_the_archive_and_a_file_can_be_removed(
    page: Page, tmp_path: Path
) -> None:
    page.save_into(tmp_path)
    page.read_sample()
    page.browser.execute_script("document.getElementById('sample').click()")
    page.wait(lambda: page.find("#total").text == "2 of 2 files", "the second file is not read")
    page.click("#save-zip")
    page.wait((tmp_path / "results.zip").exists, "the archive is not saved")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.namelist()[::2] == ["sample.txt", "sample (2).txt"]
    page.click("#files .remove")
    assert not page.find("#list").is_displayed()
    assert page.lines


def test_a_corrected_line_is_in_what_is_taken_away(page: Page, tmp_path: Path) -> None:
    page.save_into(tmp_path)
    page.read_sample()
    page.find('#lines [data-line="3"]').send_keys(Keys.F2)
    before = page.browser.switch_to.active_element.get_property("value")
    page.press(" by hand", Keys.ENTER)
    after = f"{before} by hand"
    assert page.find('#lines [data-line="3"] .text').text.removesuffix(" edited") == after
    page.screenshot("corrected")
    page.find('#lines [data-line="4"]').send_keys(Keys.ENTER)
    page.press("dropped", Keys.ESCAPE)
    for suffix in ("txt", "md", "hocr", "json", "pdf"):
        page.click(f"#save-{suffix}")
        page.wait((tmp_path / f"sample.{suffix}").exists, f"sample.{suffix} is not saved")
    texts = {suffix: (tmp_path / f"sample.{suffix}").read_text("utf-8") for suffix in ("txt", "md", "json")}
    assert {suffix for suffix, text in texts.items() if after not in text} == set()
    assert {suffix for suffix, text in texts.items() if "dropped" in text} == set()
    assert 'class="ocrx_word"' in (tmp_path / "sample.hocr").read_text("utf-8")
    assert ">hand</span>" in (tmp_path / "sample.hocr").read_text("utf-8")
    pdf = pypdfium2.PdfDocument(tmp_path / "sample.pdf")
    assert after in pdf[0].get_textpage().get_text_range()
    pdf.close()


def test_flattening_is_offered_where_a_photo_looks_bent(page: Page, tmp_path: Path) -> None:
    photo = photograph(text_page(1, (1755, 1240), 24).pixels, "wave", 0.02)
    Image.fromarray(photo[..., ::-1]).save(tmp_path / "bent.jpg")
    page.choose("useDocUnwarping", is_on=False)
    page.read_sample()
    assert not page.message, "the sample is flat"
    page.open(tmp_path / "bent.jpg")
    page.wait(lambda: page.message.startswith("The lines of this picture look bent"), "it is not offered")
    page.screenshot("bent")
    count = len(page.lines)
    page.click("#flatten")
    page.wait(lambda: len(page.lines) > 2 * count, "the flat page is not read")
    assert not page.message
    assert '"unwarped": true' in page.find("#panel-json").get_property("textContent")


def test_pages_are_flattened_on_touch_devices(page: Page, url: str) -> None:
    """Also where the server's own value is off."""
    script = page.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": OFF})
    for size in (DESKTOP, PHONE):
        page.resize(size)
        page.browser.get(url)
        page.wait(lambda: page.find("[name=useDocUnwarping]"), "the options are not filled")
        assert page.find("[name=useDocUnwarping]").get_property("checked") is (size == PHONE)
    page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


OFF = """
const real = window.fetch;
window.fetch = async (path, request) => {
  const response = await real(path, request);
  if (path !== "options") return response;
  const options = await response.json();
  options.useDocUnwarping.value = false;
  return new Response(JSON.stringify(options));
};
"""


def test_the_languages_are_those_that_the_server_reads(page: Page, url: str) -> None:
    served = httpx.get(f"{url}/models").json()["languages"]
    assert served["en"] == "English"
    assert page.texts("[name=lang] option") == ["server’s default", *served.values()]
    assert page.texts("#options legend")[0] == "Models"
    page.click("#show-options")
    page.find("[name=lang]").send_keys("English")
    page.read_sample()
    assert "Order 0123456789" in page.lines


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_picture_fits_its_viewer_and_its_boxes_are_calm(page: Page, corpus: Path, size: Any) -> None:
    page.resize(size)
    page.open(corpus / "receipts" / "302.jpg")
    viewer, picture = page.find(".scroll").rect, page.find("#picture").rect
    assert viewer["x"] <= picture["x"]
    assert viewer["y"] <= picture["y"]
    assert picture["x"] + picture["width"] <= viewer["x"] + viewer["width"]
    assert picture["y"] + picture["height"] <= viewer["y"] + viewer["height"]
    assert max(picture["width"] / viewer["width"], picture["height"] / viewer["height"]) > 0.8
    page.wait(lambda: page.find("#overlay polygon"), "the boxes are not drawn")
    box = page.find("#overlay polygon")
    assert box.value_of_css_property("fill") == "rgba(0, 0, 0, 0)"
    assert float(box.value_of_css_property("stroke-width").removesuffix("px")) < 1
    page.screenshot(f"receipt_{size[0]}")


def test_the_text_is_copied_over_plain_http(page: Page, url: str) -> None:
    page.browser.get(url.replace("127.0.0.1", "page.test"))
    page.read_sample()
    assert page.browser.execute_script("return [isSecureContext, navigator.clipboard ?? 0]") == [False, 0]
    page.click("#copy")
    page.wait(lambda: page.find("#copy").text == "Copied", "it is not copied")
    page.find('#lines [data-line="0"]').send_keys(Keys.ENTER)
    keys = ActionChains(page.browser).key_down(Keys.CONTROL).send_keys("av").key_up(Keys.CONTROL)
    keys.perform()
    assert "Total: 1280.50 EUR" in page.browser.switch_to.active_element.get_property("value")
    page.browser.execute_script("document.execCommand = () => false")
    page.click("#copy")
    page.wait(lambda: "does not allow copying" in page.find("#status").text, "the failure is silent")
    assert page.find("#panel-text").is_displayed()


def test_the_text_is_copied(page: Page, url: str) -> None:
    page.browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    page.read_sample()
    page.click("#copy")
    page.wait(lambda: page.find("#copy").text == "Copied", "it is not copied")
    copied = page.browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert "Total: 1280.50 EUR" in copied.splitlines()


def test_text_json_and_pdf_are_saved(page: Page, tmp_path: Path) -> None:
    page.save_into(tmp_path)
    page.read_sample()
    for suffix in ("txt", "json", "pdf"):
        page.click(f"#save-{suffix}")
        page.wait((tmp_path / f"sample.{suffix}").exists, f"sample.{suffix} is not saved")
    assert "Total: 1280.50 EUR" in (tmp_path / "sample.txt").read_text("utf-8")
    saved = json.loads((tmp_path / "sample.json").read_text("utf-8"))
    result = saved["ocrResults"][0]["prunedResult"]
    ranked = sorted(zip(result["reading_order"], result["rec_texts"], strict=True))
    assert page.lines == [text for _, text in ranked], "the page lists the lines in reading order"
    pdf = pypdfium2.PdfDocument(tmp_path / "sample.pdf")
    assert "Total: 1280.50 EUR" in pdf[0].get_textpage().get_text_range()
    pdf.close()


def test_a_key_is_asked_for(browser: webdriver.Chrome, server: EmbeddedServer, tmp_path: Path) -> None:
    settings = Settings(url=server.grpc_url, api_keys="secret", jobs_directory=tmp_path)
    with running(create_app(settings)) as address:
        browser.get(address)
        WebDriverWait(browser, 10).until(lambda _: browser.find_element(By.ID, "key").is_displayed())
        browser.find_element(By.NAME, "key").send_keys("secret", Keys.ENTER)
        browser.find_element(By.ID, "sample").click()
        WebDriverWait(browser, READ_TIMEOUT_S).until(
            lambda _: browser.find_elements(By.CSS_SELECTOR, "#lines li")
        )
        assert not browser.find_element(By.ID, "error").is_displayed()


def test_nothing_is_loaded_from_elsewhere(page: Page, url: str) -> None:
    page.read_sample()
    loaded = page.browser.execute_script("return performance.getEntriesByType('resource').map((r) => r.name)")
    assert len(loaded) > 5
    assert not [name for name in loaded if not name.startswith((url, "data:", "blob:"))]


def test_the_api_s_documentation_is_shown(page: Page, url: str) -> None:
    page.browser.get(f"{url}/docs")
    page.wait(lambda: len(page.texts(".opblock")) >= 5, "Swagger UI shows no operations")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_system_and_the_button(page: Page, theme: str) -> None:
    page.prefer(theme)
    page.screenshot(f"empty_{theme}")
    page.read_sample()
    page.hover('#lines [data-line="5"]')
    page.screenshot(f"result_{theme}")
    assert _is_dark(page) is (theme == "dark")
    page.click("#theme")
    assert _is_dark(page) is not (theme == "dark")
    page.browser.execute_script("localStorage.clear()")
    page.prefer("light")


def _is_dark(page: Page) -> bool:
    color = page.find("body").value_of_css_property("background-color")
    return sum(int(part) for part in color.strip("rgba()").split(",")[:3]) < 3 * 128


def test_it_fits_a_phone(page: Page) -> None:
    page.resize(PHONE, scale=2)
    page.screenshot("phone_empty")
    page.read_sample()
    page.screenshot("phone_result")
    page.click("#show-options")
    page.screenshot("phone_options")
    wide = page.browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= PHONE[0], "the page is wider than the window"
    small = [
        button.accessible_name
        for button in page.browser.find_elements(By.TAG_NAME, "button")
        if button.is_displayed() and min(button.size.values()) < 32
    ]
    assert not small, "too small for a finger"


def test_options_on_a_desktop(page: Page) -> None:
    page.read_sample()
    page.click("#show-options")
    page.screenshot("options")
    assert page.find(".stage").is_displayed()
