"""Real CUDA sources: some of the ggml project's, from the source archive of llama-cpp-python on PyPI,
and an nvcc from PyPI to compile them. Nothing of it needs a GPU. What was fetched stays in the
checkout's target folder.
"""

import os
import subprocess
import sys
import tarfile
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLKIT = ["nvcc", "crt", "runtime", "cccl", "cublas"]
RELEASE = "13.0.*"
ARCHIVE = "llama-cpp-python==0.3.36"
ARCHITECTURE = "arch=compute_90,code=sm_90"

# In this order, so that the two that need the most memory (700 and 570 MiB) are begun together.
LARGE = ["argsort.cu", "template-instances/mmq-instance-q4_0.cu"]
MIDDLE = [
    "binbcast.cu",
    "template-instances/mmq-instance-q5_0.cu",
    "template-instances/fattn-vec-instance-f16-f16.cu",
    "softmax.cu",
    "template-instances/fattn-tile-instance-dkq64-dv64.cu",
]
SMALL = ["norm.cu", "unary.cu", "cpy.cu", "rope.cu", "getrows.cu", "im2col.cu"]


class CudaSources:
    """A makefile that compiles them; the objects lie in a folder of the caller's."""

    def __init__(self):
        self.cache = os.path.join(ROOT, "target", "bench", "cuda")
        environment = os.path.join(self.cache, "environment")
        python = os.path.join(environment, "bin", "python")
        if not os.path.exists(os.path.join(self.cache, "complete")):
            print("fetching nvcc and the sources from PyPI", file=sys.stderr)
            venv.create(environment, with_pip=True, clear=True)
            pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            packages = [f"nvidia-cuda-{name}=={RELEASE}" for name in TOOLKIT if name != "cublas"]
            packages += [f"nvidia-nvvm=={RELEASE}", f"nvidia-cublas=={RELEASE}", "scikit-build-core"]
            subprocess.run([*pip, "install", *packages], check=True)
            download = ["download", "--no-binary=:all:", "--no-deps", "--no-build-isolation"]
            subprocess.run([*pip, *download, "--dest", self.cache, ARCHIVE], check=True)
            (archive,) = [name for name in os.listdir(self.cache) if name.endswith(".tar.gz")]
            with tarfile.open(os.path.join(self.cache, archive)) as tar:
                members = [member for member in tar if "/vendor/llama.cpp/ggml/" in member.name]
                tar.extractall(os.path.join(self.cache, "source"), members, filter="data")
            with open(os.path.join(self.cache, "complete"), "w"):
                pass
        (library,) = os.listdir(os.path.join(environment, "lib"))
        self.toolkit = os.path.join(environment, "lib", library, "site-packages", "nvidia", "cu13")
        (package,) = os.listdir(os.path.join(self.cache, "source"))
        ggml = os.path.join(self.cache, "source", package, "vendor", "llama.cpp", "ggml")
        self.folder = os.path.join(ggml, "src", "ggml-cuda")
        includes = [os.path.join(ggml, "include"), os.path.join(ggml, "src"), self.folder]
        self.flags = "-std=c++17 -O3 -use_fast_math -extended-lambda -DGGML_SCHED_MAX_COPIES=4 "
        self.flags += f"-gencode={ARCHITECTURE} " + " ".join(f"-I{folder}" for folder in includes)

    def write_makefile(self, folder, sources):
        """Every source is a rule; nvcc is found as torch's extension builder finds it."""
        objects = [os.path.basename(source).replace(".cu", ".o") for source in sources]
        with open(os.path.join(folder, "Makefile"), "w") as file:
            file.write("all: " + " ".join(objects) + "\n")
            for name, source in zip(objects, sources):
                path = os.path.join(self.folder, source)
                file.write(f"{name}: {path}\n\t@$(CUDA_HOME)/bin/nvcc {self.flags} -c $< -o $@\n")

    def environment(self):
        return {**os.environ, "CUDA_HOME": self.toolkit}
