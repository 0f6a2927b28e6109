"""The built pages in a real browser, opened from their folder with no network: what a reader sees.

Build the book first. Without a built book, or without a Chromium, these tests are skipped and say so; with
SVF_REQUIRE_PAGES=1 (set by .ci/run after the build) both are failures.
Screenshots of every page, in light and dark mode, go to pytest's temporary folder, or to SVF_SCREENSHOTS.
"""

import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

pytestmark = pytest.mark.pages

ROOT = Path(__file__).resolve().parent.parent
BUILT = Path(os.environ.get("SVF_BUILT_BOOK", ROOT / "_build" / "html"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Beside ten other jobs on two cores a screenshot that takes a second alone may take minutes, and be right all the same.
PATIENCE = 600_000  # milliseconds

# Directives, roles and TeX that a reader must never meet as text.
RAW_MARKUP = re.compile(
    r"\{[a-z][a-z:_-]*\}`"  # {glue:text}`name`
    r"|^:{3,}|`{3}"  # fences
    r"|\|[-—–: ]+\|[-—–: ]+\|"  # the rule of a table that is none
    r"|(?<=\s)[–—][a-z]"  # an option of a command whose two hyphens have become one dash
    r"|\$[^$]+\$|\$\$|\\\(|\\\[|\\(?:begin|frac|mathbb|operatorname|Omega|Sigma|top)\b",
    re.MULTILINE,
)


def pages() -> list[str]:
    """Every page of the table of contents, as its path in the built book without the suffix."""

    def below(listed: list[dict]) -> list[str]:
        return [file for page in listed for file in (page["file"], *below(page.get("sections", [])))]

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [toc["root"], *(file for part in toc["parts"] for file in below(part["chapters"]))]
    return [name.removesuffix(".md") for name in files]


def give_up(sentence: str, *, required: bool) -> None:
    if required or os.environ.get("SVF_REQUIRE_PAGES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser: CHROMIUM, or the first that is installed."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        sentence = "No Chromium is installed and CHROMIUM names none: the pages were not looked at."
        give_up(sentence, required=os.environ.get("CI") == "true")
    return found


@pytest.fixture(scope="session")
def book(chromium) -> Path:
    """Folder of the built book; a book older than its sources would prove nothing."""
    command = "jupyter-book build . --all -W --keep-going"
    for name in pages():
        source, html = ROOT / f"{name}.md", BUILT / f"{name}.html"
        if not html.is_file():
            give_up(f"The book is not built ({name}.html is missing). Run: {command}", required=False)
        if source.stat().st_mtime > html.stat().st_mtime:
            give_up(f"The built book is older than {name}.md. Run: {command}", required=False)
    return BUILT


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("SVF_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser(chromium, book) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=PATIENCE)
        yield running
        running.close()


class Visit:
    """One page, opened and drawn to the end, and what it asked for and complained about on the way."""

    def __init__(self, browser, file: Path):
        self.file = file
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.route(re.compile("^(?:https?|wss?):"), lambda route: route.abort())
        self.page.goto(file.as_uri(), wait_until="load")
        self.page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise; }")

    def _console(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def theme(self, wanted: str) -> None:
        """Presses the theme's own switch until the page has the wanted mode."""
        for _ in range(3):
            if self.page.evaluate("document.documentElement.dataset.theme") == wanted:
                return
            self.page.locator(".theme-switch-button:visible").first.click()
        assert self.page.evaluate("document.documentElement.dataset.theme") == wanted


@pytest.fixture(scope="module", params=pages())
def visit(request, browser, book) -> Iterator[Visit]:
    visit = Visit(browser, book / f"{request.param}.html")
    yield visit
    visit.context.close()


def test_page_complains_of_nothing(visit):
    assert visit.problems == []


def test_page_asks_no_other_host(visit):
    foreign = [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:", "about:"))]
    assert foreign == []
    assert visit.page.evaluate("document.querySelectorAll('script[src], link[rel=stylesheet]').length") > 0
    loads = "e => [...e].map(x => x.src || x.href).filter(url => /^(https?:)?\\/\\//.test(url))"
    selector = "script[src], img[src], iframe[src], link[rel=stylesheet], link[rel=preload], link[rel*=icon]"
    assert visit.page.eval_on_selector_all(selector, loads) == []


def test_every_figure_is_drawn_and_described(visit):
    images = visit.page.eval_on_selector_all(
        "article img", "e => e.map(i => ({src: i.src.slice(-60), alt: i.alt.trim(), width: i.naturalWidth}))"
    )
    assert [image for image in images if image["width"] == 0] == []
    names = re.compile(r"^$|^\S*\.(png|svg|jpe?g)$|^_images|^Figure$|^\S*/")  # a file's name describes nothing
    assert [image for image in images if names.search(image["alt"])] == []
    unnamed = """e => e.filter(s => s.getBoundingClientRect().width > 60 && !s.closest('[aria-hidden=true]')
        && !s.closest('[role=img][aria-label]') && !s.matches('[aria-label], [aria-labelledby]')
        && !s.querySelector('title'))
        .map(s => s.outerHTML.slice(0, 120))"""
    assert visit.page.eval_on_selector_all("article svg", unnamed) == []


def test_every_formula_is_typeset(visit):
    raw = "e => e.filter(m => !m.querySelector('mjx-container')).map(m => m.textContent.slice(0, 80))"
    assert visit.page.eval_on_selector_all("article .math", raw) == []
    assert visit.page.locator("article mjx-merror").count() == 0


def test_no_markup_is_left_as_text(visit):
    text = visit.page.evaluate(
        """() => {
            const copy = document.querySelector('article').cloneNode(true);
            copy.querySelectorAll('pre, code, script, style, mjx-container, dt.sig').forEach(e => e.remove());
            return copy.textContent;
        }"""
    )
    assert len(text) > 100, "the page is empty"
    assert [match.group() for match in RAW_MARKUP.finditer(text)] == []
    errors = "article .output.traceback, article .problematic, article .system-message"
    assert visit.page.locator(errors).all_text_contents() == []


@cache
def anchors(file: Path) -> set[str]:
    return set(re.findall(r"\bid=[\"']([^\"']+)[\"']", file.read_text(encoding="utf8")))


def test_links_inside_the_book_lead_somewhere(visit):
    links = visit.page.eval_on_selector_all("a[href]", "e => e.map(a => a.href)")
    broken = []
    for link in set(links):
        parts = urlsplit(link)
        if parts.scheme != "file":
            continue
        target = Path(unquote(parts.path))
        anchor = unquote(parts.fragment)
        if not target.is_file() or (anchor and target.suffix == ".html" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_page_is_not_wider_than_its_window(visit):
    for width in (1280, 400):
        visit.page.set_viewport_size({"width": width, "height": 900})
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width + 1, f"{wide} px of content in a window of {width} px"
    visit.page.set_viewport_size({"width": 1280, "height": 900})


def test_what_cells_print_is_all_in_sight(visit):
    hidden = "e => e.filter(p => p.scrollWidth > p.clientWidth + 1).map(p => p.textContent.slice(0, 80))"
    assert visit.page.eval_on_selector_all("article .cell_output pre", hidden) == []


def test_code_fits_the_column_and_wraps_in_print(visit):
    cut = "e => e.filter(p => p.scrollWidth > p.clientWidth + 1).map(p => p.textContent.slice(0, 80))"
    code = "article .cell_input pre"
    assert visit.page.eval_on_selector_all(code, cut) == []
    visit.page.set_viewport_size({"width": 700, "height": 900})  # A4 between its margins
    visit.page.emulate_media(media="print")
    assert visit.page.eval_on_selector_all(code, cut) == []
    visit.page.emulate_media(media="screen")
    visit.page.set_viewport_size({"width": 1280, "height": 900})


def test_solutions_stay_folded_in_print(visit):
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visit.page.emulate_media(media="print")
    shown = """e => e.filter(s => [...s.children].some(
        c => !c.matches('.admonition-title, button') && c.getBoundingClientRect().height > 0 && c.checkVisibility()))
        .map(s => s.textContent.slice(0, 60))"""
    assert visit.page.eval_on_selector_all("article .solution.dropdown", shown) == []
    visit.page.emulate_media(media="screen")
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_figures_keep_their_colours_in_dark_mode(visit, shots):
    name = "-".join(visit.file.relative_to(BUILT).with_suffix("").parts[1:]) or visit.file.stem
    visit.theme("light")
    visit.page.screenshot(path=shots / f"{name}-light.png", full_page=True)
    visit.theme("dark")
    visit.page.screenshot(path=shots / f"{name}-dark.png", full_page=True)
    channels = visit.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(channels[:3]) < 80, "the page itself did not turn dark"
    # what is drawn on white stays on white, undimmed
    style = "e => e.map(i => { const s = getComputedStyle(i); return [s.backgroundColor, s.filter]; })"
    for background, dimmed in visit.page.eval_on_selector_all("article img:not(.only-dark, .dark-light)", style):
        assert (background, dimmed) == ("rgb(255, 255, 255)", "none")
    # labels of an inline drawing stand out from what is behind it
    faint = visit.page.eval_on_selector_all(
        "article .cell_output svg text",
        """texts => {
            const rgb = c => (c.match(/[\\d.]+/g) || [0, 0, 0]).map(Number);
            const light = c => rgb(c).slice(0, 3).map(v => v / 255)
                .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
            const behind = e => {
                for (; e; e = e.parentElement) {
                    const c = getComputedStyle(e).backgroundColor, v = rgb(c);
                    if (v.length < 4 || v[3] > 0) return c;
                }
                return 'rgb(255, 255, 255)';
            };
            return texts.filter(t => getComputedStyle(t).fill !== 'none').map(t => {
                const [a, b] = [light(getComputedStyle(t).fill), light(behind(t))];
                return [t.textContent.slice(0, 40), (Math.max(a, b) + .05) / (Math.min(a, b) + .05)];
            }).filter(([_, contrast]) => contrast < 2.5);
        }""",
    )
    assert faint == []
    visit.theme("light")


def test_sliders_redraw_without_a_kernel(visit):
    """Every explorer answers: moving a slider changes something in the output around it."""
    sliders = visit.page.locator("article .cell_output input[type=range]")
    for number in range(sliders.count()):
        moved = sliders.nth(number).evaluate(
            """slider => {
                const around = slider.closest('.cell_output');
                const look = () => around.innerHTML + [...around.querySelectorAll('img')].map(i => i.src).join();
                const before = look(), low = +slider.min || 0, high = +slider.max || 100;
                for (const value of [low, (low + high) / 2, high]) {
                    slider.value = value;
                    slider.dispatchEvent(new Event('input', {bubbles: true}));
                    slider.dispatchEvent(new Event('change', {bubbles: true}));
                    if (look() !== before) return true;
                }
                return false;
            }"""
        )
        assert moved, f"slider {number} changes nothing"
    assert visit.problems == []


def test_first_page_leads_into_the_book(browser, book):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto((book / "index.html").as_uri())
    page.wait_for_url(re.compile(r"book/intro\.html"))
    titles = page.eval_on_selector_all("nav a.reference.internal", "e => e.map(a => a.getAttribute('href'))")
    reached = {Path(urlsplit(link).path).stem for link in titles}
    assert {Path(name).stem for name in pages()} - {"intro"} <= reached
    context.close()


def test_search_finds_a_word_of_the_book(browser, book):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto((book / "search.html").as_uri() + "?q=singular")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results li").count() > 0
    context.close()


def test_launch_button_opens_the_notebook_in_colab(visit, config):
    chapter = visit.file.stem
    notebook = (ROOT / visit.file.relative_to(BUILT)).with_suffix(".ipynb")
    if not notebook.is_file():
        return  # a page of text has nothing to run
    repository, branch = config["repository"]["url"].removeprefix("https://github.com/"), config["repository"]["branch"]
    wanted = f"https://colab.research.google.com/github/{repository}/blob/{branch}/book/{chapter}.ipynb"
    links = visit.page.eval_on_selector_all(".article-header-buttons a[href]", "e => e.map(a => a.href)")
    assert wanted in links
