# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -papermill,-execution
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Claims
#
# The claims of the paper, with our numbers.

# %% tags=["set-up"]
# In a clone this finds `lib`; on Colab it fetches the repository and installs what Colab lacks.
import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY = "https://github.com/simplicity-bias-companion/companion"
if importlib.util.find_spec("lib") is None:
    folders = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "companion"]
    root = next((folder for folder in folders if (folder / "lib" / "display.py").is_file()), None)
    if root is None:
        root = folders[-1]
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(root)], check=True)
    lacking = [name for name in ("openml", "safetensors") if importlib.util.find_spec(name) is None]
    if lacking and "google.colab" in sys.modules:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *lacking], check=True)
    sys.path.insert(0, str(root))

# %% tags=["parameters"]
profile = "smoke"
seed = 0
data_dir = None

# %% tags=["remove-input"]
from lib.display import provenance, say

say("This page is not written yet.")

# %% tags=["remove-input"]
provenance(profile)
