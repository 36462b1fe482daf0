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
# # Speed
#
# The bi-level loop is the cost of everything here: what one machine can reproduce in a night is set by it. This page says what it costs, where the time goes,
# and what you would pay elsewhere. Ratios carry over to other machines roughly, seconds do not: each ratio comes from one interleaved run, on one thread.

# %% tags=["set-up"] cellView="form" jupyter={"source_hidden": true}
# @title Set-up: finds the files of this companion or, in Colab, fetches them
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = "https://github.com/simplicity-bias-companion/companion"


def is_whole(folder):
    return (folder / "lib" / "splines.py").is_file() and (folder / "notebooks" / "paper" / "claims.toml").is_file()


here, clone = Path.cwd(), Path.cwd() / "companion"
places = [here, *here.parents, *map(Path, filter(None, sys.path)), clone]
root = next(filter(is_whole, places), None)
if root is None:
    with tempfile.TemporaryDirectory(prefix="companion-", dir=here) as scratch:  # one that is cut short is never used
        command = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, f"{scratch}/new"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise RuntimeError(f"{REPOSITORY} is not here and could not be fetched: {reason}") from None
        if clone.exists():  # half of one, or something else
            clone.rename(tempfile.mkdtemp(prefix="companion-old-", dir=here))
        Path(scratch, "new").rename(clone)
    root = clone
if "google.colab" in sys.modules:
    needed = ("openml", "safetensors", "scikit-learn>=1.7")  # installs what is lacking or older
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needed], check=True)
root = str(root.resolve())
sys.path[:] = [root, *(place for place in sys.path if place != root)]  # before any other folder that has a `lib`
if not str(getattr(sys.modules.get("lib"), "__file__", None)).startswith(root):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lib"]:
        del sys.modules[name]  # another one, imported before

# %% tags=["parameters"]
profile = "paper"
seed = 0
data_dir = None

# %% tags=["remove-input"]
from notebooks.paper.figures import speed
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance

words = page_words.words("figures", "speed")
record, gpu, paired = map(speed.read, ("speed.json", "speed_gpu.json", "speed_products.json"))
if record is None:
    words.say("not-measured", what=words.fill("everything"))
else:
    source, turns = record["provenance"], record["activation"]["repeats"]
    words.say("measured", **{name: source["hardware"][name] for name in ("cpu", "cores")}, date=source["start"][:10],
              backend=record["activation"]["backend"], turns=turns)  # fmt: skip
    rows = record["episode"]["tables"][0]["rows"]
    others = min(rows[name]["ratio"] for name in ("plain", "higher", "torchopt") if name in rows)
    words.say("short", activation=speed.activation(record)[1]["best"], slower=others / rows["ours"]["ratio"])
    if turns < 10:
        words.say("preliminary")

# %% [markdown]
# ## What it costs
#
# A linear spline is a table look-up and a multiplication. The compiled kernels keep the table in registers, save nothing but the inputs, and find the pieces
# again in the backward pass. Where there is no compiler, the same four operations are made of tensor operations.

# %% tags=["remove-input"]
if record:
    rows, numbers = speed.activation(record)
    label = "time, forward + backward,\nas a multiple of nn.GELU"
    words.figure("fig-speed-activation", lambda narrow=False: speed.dots(rows, "gelu", label, narrow), **numbers)
    short = record["complexity"]["short cut"]
    words.say("complexity", ms=short["ms"], ratio=short["ratio"])

# %% [markdown]
# ## Where the time goes
#
# An inner step needs no autograd. What no implementation avoids are its matrix products; on processors of AMD with AVX-512, where PyTorch's default keeps to AVX2, oneDNN is asked for
# those of float32. Between them, the steps here work in place, on buffers that are made once,
# and what can be one pass is one: from the last hidden layer's pre-activation through a single output, the loss and back; the one-hot layer as a
# look-up and a sum; all weights as one vector for the optimiser. The readable version of the same
# ([method](../book/method.ipynb)) is what autograd records for the last $t$ steps, and what the tests compare with.

# %% tags=["remove-input"]
if record and "steps" in record:
    words.figure(
        "fig-speed-steps", lambda narrow=False: speed.step_dots(record["steps"], narrow), **speed.steps(record)
    )
    if (default := record["episode"]["tables"][0]["rows"].get("products, default")) and default["ratio"] > 1.1:
        words.say("products", ratio=default["ratio"], inputs=record["episode"]["tables"][0]["size"]["inputs"])
elif record:
    words.say("not-measured", what=words.fill("steps"))

# %% tags=["remove-input"]
if record:
    words.table("tab-speed-growth", speed.growth(record))
    if "scaling" in record:
        words.say("processes", ratio=record["scaling"]["processes"])
        if "run_ms" in record["scaling"]:
            words.say("sweep", ms=record["scaling"]["run_ms"])
    words.say("batches", **speed.batches(record))
if record and gpu:
    words.say("gpu", **speed.on_gpu(gpu))


# %% [markdown]
# ### Products of bfloat16
#
# Processors with AMX multiply matrices of bfloat16 several times faster. `Settings(products="bfloat16")` rounds the factors of the products of those inner steps that
# are not unrolled; weights, sums, activations and the unrolled steps stay float32. Whether PyTorch does so is tried out on each processor (on those with instructions for bfloat16 but
# without AMX it does not); elsewhere the products are of float32. Whether the functions are as good is a matter of measurement, by domain.

# %% tags=["remove-input"]
differences, complete = speed.of_products(paired) if paired else ((), True)

# %% tags=["hide-input"] fold="Test accuracy with functions learned with either kind of products"
if len(differences):
    words.table("tab-bfloat16", differences, how=" " + words.fill("bfloat16-rounded") if paired.get("rounded") else "")

# %% tags=["remove-input"]
if not complete:
    words.say("bfloat16-incomplete")
if not paired:
    words.say("not-measured", what=words.fill("bfloat16-missing"))

# %% [markdown]
# ## What you would pay elsewhere

# %% tags=["remove-input"]
if record:
    words.say("others")
    wide = record["episode"]["tables"][0]
    ratios, label = wide["rows"], "time of one episode,\nas a multiple of its float32 matrix products"
    sizes = {name: wide["size"][name] for name in ("steps", "unroll", "inputs", "width", "batch")}
    words.figure("fig-speed-episode", lambda narrow=False: speed.dots(ratios, "products", label, narrow), **sizes,
                 ours=ratios["ours"]["ratio"], of_default=ratios["ours"]["ratio"] / ratios["products, default"]["ratio"], slowest=max(row["ratio"] for row in ratios.values()),
                 difference=1e6 * wide["largest_relative_difference"])  # fmt: skip
    words.table(
        "tab-speed-elsewhere", speed.elsewhere(record), whole=words.fill("whole-measured") if "whole" in record else ""
    )
    if "whole" not in record:
        words.say("not-measured", what=words.fill("whole-processes"))

# %% tags=["remove-input"]
provenance(profile)
