"""Scripts and notebooks: generated one way, deterministic, and compared."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from book.press import pairs

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -papermill,-execution
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
seed = 0

# %%
print(seed)

# %%
print(seed)
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").write_text("repository: {url: https://github.com/a/b}", encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text("repository-code: https://github.com/a/b", encoding="utf-8")
    (tmp_path / "notebooks" / "page.py").write_text(SCRIPT, encoding="utf-8")
    pairs.write(tmp_path)
    return tmp_path


def edit(repository, change):
    """Apply `change` to the notebook's JSON."""
    path = repository / "notebooks" / "page.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_committed_pairs_are_in_step():
    assert pairs.differences(ROOT) == []


def test_a_generated_pair_is_in_step_and_generating_again_changes_nothing(repository):
    assert pairs.differences(repository) == []
    assert pairs.write(repository) == []


def test_a_notebook_has_the_cells_tags_kernel_and_no_outputs(repository):
    content = json.loads((repository / "notebooks" / "page.ipynb").read_text(encoding="utf-8"))
    assert [cell["cell_type"] for cell in content["cells"]] == ["markdown", "code", "code", "code"]
    assert content["cells"][1]["metadata"]["tags"] == ["parameters"]
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert "formats" not in content["metadata"]["jupytext"]  # an editor must not sync the other way
    assert all(cell["outputs"] == [] for cell in content["cells"] if cell["cell_type"] == "code")
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == 4  # though two cells are equal


def test_cell_ids_do_not_change_when_another_cell_is_added(repository):
    path = repository / "notebooks" / "page.py"
    before = [cell["id"] for cell in pairs.notebook(path).cells]
    path.write_text(SCRIPT.replace("# %% tags", "# %% [markdown]\n# More.\n\n# %% tags"), encoding="utf-8")
    after = [cell["id"] for cell in pairs.notebook(path).cells]
    assert [identifier for identifier in after if identifier in before] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["cells"][2].update(source=["print(1)"]), "cell 2 differs .* in source"),
        (lambda content: content["cells"][1].update(metadata={}), "cell 1 differs .* in metadata"),
        (lambda content: content["cells"][2].update(outputs=[{"output_type": "stream"}]), "in outputs"),
        (lambda content: content["cells"][2].update(execution_count=1), "in execution_count"),
        (lambda content: content["cells"][0].update(cell_type="raw"), "in cell_type"),
        (lambda content: content["cells"].pop(), "has 3 cells, page.py has 4"),
        (lambda content: content["metadata"].update(kernelspec={}), "metadata differ"),
        (lambda content: content.pop("cells"), "is not a notebook"),
    ],
)
def test_pairs_out_of_step_are_found(repository, change, message):
    edit(repository, change)
    (found,) = pairs.differences(repository)
    assert re.search(message, found)


def test_an_edited_script_is_found(repository):
    (repository / "notebooks" / "page.py").write_text(SCRIPT.replace("seed = 0", "seed = 1"), encoding="utf-8")
    assert "cell 1 differs" in pairs.differences(repository)[0]


def test_a_missing_notebook_and_a_notebook_without_script_are_found(repository):
    shutil.move(repository / "notebooks" / "page.ipynb", repository / "notebooks" / "other.ipynb")
    assert [re.sub(r"^\S+/", "", line) for line in pairs.differences(repository)] == [
        "page.ipynb is missing",
        "other.ipynb has no script beside it",
    ]


def test_a_script_without_kernelspec_is_refused(repository):
    path = repository / "notebooks" / "page.py"
    path.write_text(SCRIPT.replace("name: python3", "name: julia"), encoding="utf-8")
    with pytest.raises(ValueError, match="must name the kernelspec python3"):
        pairs.notebook(path)


def test_the_command_checks_and_writes(repository, capsys):
    assert pairs.main(["--check"], repository) == 0
    edit(repository, lambda content: content["cells"].pop())
    assert pairs.main(["--check"], repository) == 1
    assert "run `make pairs`" in capsys.readouterr().out
    assert pairs.main([], repository) == 0
    assert pairs.main(["--check"], repository) == 0
    assert pairs.main(["--chekc"], repository) == 2


# What every page of the book has in common.

SCRIPTS = pairs.scripts(ROOT)


def cells(script, tag):
    return [cell for cell in pairs.notebook(script).cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_page_has_a_title_the_same_set_up_and_the_three_parameters(script):
    first = pairs.notebook(script).cells[0]
    assert first.cell_type == "markdown" and re.match(r"# \S", first.source)
    reference = cells(SCRIPTS[0], "set-up")
    assert [cell.source for cell in cells(script, "set-up")] == [cell.source for cell in reference] != []
    (parameters,) = cells(script, "parameters")
    assert parameters.source == 'profile = "paper"\nseed = 0\ndata_dir = None'


def test_the_scripts_have_the_shared_set_up_cell():
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        assert pairs.set_up(text, pairs.address()) == text, f"{script}: run `make pairs`"


def test_a_fork_changes_one_line(tmp_path):
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    slug = pairs.address().removeprefix("https://github.com/")
    naming = []
    for name in tracked:
        if (
            Path(name).suffix in (".py", ".ipynb", ".md", ".yml", ".cff", ".toml", ".txt", "")
            and (ROOT / name).is_file()
        ):
            text = (ROOT / name).read_text(encoding="utf-8")
            if slug in text or name in ("README.md", "CITATION.cff", "pyproject.toml"):
                naming.append(name)
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text, encoding="utf-8")
    assert {"README.md", "_config.yml", "notebooks/grokking.py", "notebooks/grokking.ipynb"} <= set(naming)
    config = tmp_path / "_config.yml"
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    (line,) = [index for index, line in enumerate(lines) if slug in line]
    lines[line] = lines[line].replace(slug, "someone/a.fork-2")
    config.write_text("".join(lines), encoding="utf-8")
    assert pairs.main([], tmp_path) == 0 and pairs.main(["--check"], tmp_path) == 0
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in naming}
    assert [name for name, text in texts.items() if slug in text] == []
    assert 'REPOSITORY = "https://github.com/someone/a.fork-2"' in texts["notebooks/grokking.py"]
    assert "git clone https://github.com/someone/a.fork-2\ncd a.fork-2\n" in texts["README.md"]
    assert (
        "colab.research.google.com/github/someone/a.fork-2/blob/executed/notebooks/images.ipynb" in texts["README.md"]
    )
    assert "repository-code: https://github.com/someone/a.fork-2\n" in texts["CITATION.cff"]


@pytest.mark.parametrize("url", ["https://gitlab.com/a/b", "https://github.com/a", "https://github.com/a/b/tree/c", ""])
def test_an_address_that_colab_could_not_open_is_refused(tmp_path, url):
    (tmp_path / "_config.yml").write_text(f"repository:\n  url: {url}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must be https://github.com/OWNER/NAME, got"):
        pairs.address(tmp_path)
