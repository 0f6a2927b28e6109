"""The frame of the book: addresses, versions, table of contents, wheel, sizes."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT_ONLY = {"status", "scorecard", "references"}
TEXT_SUFFIXES = {".md", ".py", ".ipynb", ".toml", ".yml", ".yaml", ".cff", ".txt", ".bib", ".css", ".js", ".json", ""}


def tracked_files() -> list[Path]:
    """Files that git tracks or would add: what a clone holds, and no built page."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git or its folder is not here: without them nobody knows which files belong to the repository.")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def text_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in TEXT_SUFFIXES]


def toc_files() -> list[str]:
    """Every page of the contents, those below a page included."""

    def below(pages: list[dict]) -> list[str]:
        return [file for page in pages for file in (page["file"], *below(page.get("sections", [])))]

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    return [toc["root"], *(file for part in toc["parts"] for file in below(part["chapters"]))]


def is_text(name: str) -> bool:
    """Whether a page has nothing to run: the reference of the modules, and a few others."""
    return Path(name).stem in TEXT_ONLY or name.startswith("book/api/")


def foreign_addresses(text: str, config: dict) -> set[str]:
    """Addresses in the text that mean this book or its repository, and are not the ones of _config.yml.

    What counts as "means this book": the same repository name on GitHub, its raw files, Colab or GitHub Pages, and
    every link to Colab, whoever owns it.
    """
    repository, book, branch = config["repository"]["url"], config["html"]["baseurl"], config["repository"]["branch"]
    owner_and_name = repository.removeprefix("https://github.com/")
    name = re.escape(owner_and_name.split("/")[1])
    colab = f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/"
    ours = {  # what an address looks like if it means us, and what it has to be in full
        r"colab\.research\.google\.com/github/[^/]+/": re.escape(colab) + ".*",
        rf"github\.com/[^/]+/{name}(?![\w-])": re.escape(repository)
        + rf"(?:\.git)?(?:@{branch}|[?#].*|/(?:blob|tree|edit|raw)/{branch}(?:/.*)?|/(?!blob/|tree/|edit/|raw/).*)?",
        rf"[^/]+\.github\.io/{name}(?![\w-])|{re.escape(book)}": re.escape(book) + r"(?:[/?#].*)?",
    }
    wrong = set()
    for found in re.findall(r"https?://[^\s\"'<>()\[\]{}`\\]+", text):
        address = found.rstrip(".,;:")
        for looks, right in ours.items():
            if re.search(looks, address):
                if not re.fullmatch(right, address):
                    wrong.add(address)
                break
    return wrong


def test_foreign_addresses_are_told_from_our_own(config):
    repository, book = config["repository"]["url"], config["html"]["baseurl"]
    name = repository.rsplit("/", 1)[1]
    good = f"{repository} git+{repository}@main {repository}.git {repository}/blob/main/LICENSE, {book}/x.html {book}."
    assert foreign_addresses(good + " https://github.com/other/thing https://example.org", config) == set()
    for bad in (
        f"https://github.com/somebody/{name}",
        f"{repository}@develop",
        f"{repository}/blob/develop/README.md",
        f"https://somebody.github.io/{name}/book/intro.html",
        f"https://colab.research.google.com/github/somebody/{name}/blob/main/book/intro.ipynb",
    ):
        assert foreign_addresses(f"see {bad} for more", config) == {bad}


def test_every_copy_of_the_addresses_agrees_with_the_configuration(config):
    """A repository that moves changes one line in _config.yml; this test lists the copies left behind."""
    wrong = {}
    for path in text_files():
        if path != Path(__file__) and (found := foreign_addresses(path.read_text(encoding="utf8"), config)):
            wrong[str(path.relative_to(ROOT))] = sorted(found)
    assert wrong == {}


def test_metadata_holds_the_addresses(config):
    repository, book = config["repository"]["url"], config["html"]["baseurl"]
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]["urls"]
    assert urls["Repository"] == repository
    assert urls["Book"] == book
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["repository-code"] == repository
    assert citation["url"] == book
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    assert repository in readme
    assert book in readme


def test_citation_names_book_and_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert citation["version"] == project["version"] == version("svf-helpers")
    (paper,) = citation["references"]
    assert [person["family-names"] for person in paper["authors"]] == ["Franco", "Loughridge", "Crovella"]
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf8")
    assert f"title     = {{{paper['title']}}}" in bibliography
    assert paper["url"].rsplit("/", 1)[1] in bibliography


def requirement_lines() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def test_requirements_are_exact_and_end_with_the_package():
    *pins, last = requirement_lines()
    assert last == "-e ."
    assert "torch==2.13.0" in pins  # an open range pulls gigabytes of CUDA into a machine without a GPU
    loose = [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", pin)]
    assert loose == []


def test_installed_versions_are_the_pinned_ones():
    pins = dict(line.split("==") for line in requirement_lines()[:-1])
    # torch's wheels carry a local label after the plus sign, such as 2.13.0+cpu
    installed = {name: version(name).split("+")[0] for name in pins}
    assert installed == pins


def test_package_has_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    for requirement in project["dependencies"]:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+", requirement), requirement
    pinned = {line.split("==")[0].lower().replace("-", "_") for line in requirement_lines()[:-1]}
    wanted = project["dependencies"] + project["optional-dependencies"]["models"]
    names = {re.split(r"[<>=]", requirement)[0].lower().replace("-", "_") for requirement in wanted}
    assert names <= pinned, "every dependency of the package has its exact version in requirements.txt"


def test_chapters_of_the_contents_exist_with_their_notebooks():
    files = toc_files()
    assert len(files) == len(set(files))
    for name in files:
        path = ROOT / name
        assert path.suffix == ".md", f"{name}: name the extension, for a notebook of the same name stands beside it"
        assert path.is_file(), f"{name} is in _toc.yml and not in the repository"
        notebook = path.with_suffix(".ipynb")
        assert notebook.is_file() != is_text(name), f"{name}: a chapter has a notebook, a text page none"


def test_no_chapter_is_left_out_of_the_contents():
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "book").rglob("*.md")}
    assert pages == set(toc_files())
    orphans = [path.name for path in (ROOT / "book").glob("*.ipynb") if not path.with_suffix(".md").is_file()]
    assert orphans == []


def test_readme_lists_every_chapter():
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    missing = [name for name in toc_files() if not is_text(name) and f"({name})" not in readme]
    assert missing == []


def test_the_introduction_names_every_chapter():
    root, *others = toc_files()
    introduction = (ROOT / root).read_text(encoding="utf8")
    missing = [name for name in others if not is_text(name) and f"({Path(name).name})" not in introduction]
    assert missing == []


def test_notebooks_are_small():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "book").glob("*.ipynb")}
    assert sizes, "no notebook stands in book/"
    assert {name: size for name, size in sizes.items() if size >= 300_000} == {}
    assert sum(sizes.values()) < 5_000_000


def test_no_notebook_or_page_holds_a_path_of_somebodys_machine():
    # written so that this file does not match itself
    pattern = re.compile(r"/(?:" + "|".join(["home", "root", "Users", "work", "tmp"]) + r")/[\w.~-]+/|[A-Z]:\\\\?Users")
    wrong = {}
    for path in text_files():
        text = path.read_text(encoding="utf8")
        if path.suffix == ".ipynb":  # pictures are base64, in which anything may stand
            notebook = json.loads(text)
            for cell in notebook["cells"]:
                for output in cell.get("outputs", []):
                    output.get("data", {}).pop("image/png", None)
            text = json.dumps(notebook)
        if found := sorted({match.group() for match in pattern.finditer(text)}):
            wrong[str(path.relative_to(ROOT))] = found
    assert wrong == {}


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # from a copy: setuptools leaves a build folder behind, and an old one would lend its files to the wheel
    for path in tracked_files():
        inside = path.relative_to(ROOT)
        if inside.parts[0] == "svf_helpers" or inside.name in {"pyproject.toml", "README.md", "LICENSE"}:
            (source / inside).parent.mkdir(parents=True, exist_ok=True)
            (source / inside).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    run = subprocess.run([*command, "-w", folder, source], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = folder.glob("svf_helpers-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_modules_results_and_typing_mark(wheel_names):
    assert "svf_helpers/py.typed" in wheel_names
    package = {str(path.relative_to(ROOT)) for path in tracked_files() if path.is_relative_to(ROOT / "svf_helpers")}
    modules = {name for name in package if name.endswith(".py")}
    assert modules
    assert {name for name in wheel_names if name.endswith(".py")} == modules
    results = {name for name in package if name.startswith("svf_helpers/results/") and Path(name).suffix != ".py"}
    assert any(name.endswith(".npz") for name in results), "no stored result is in the package"
    assert results <= wheel_names
    assert any(name.endswith("LICENSE") for name in wheel_names)


def test_continuous_integration_runs_the_readmes_commands():
    """What CI runs and what the README promises are the same two lines."""
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf8")
    install, build = "pip install -r requirements.txt", "jupyter-book build . --all -W --keep-going"
    assert f"{install} && {build}" in readme
    assert f"{install} && pytest" in readme
    for command in (f"{install} && pytest", f"{install} && {build}"):
        assert command in script
    assert script.index(f"{install} && pytest") < script.index(f"{install} && {build}"), "tests come first"
