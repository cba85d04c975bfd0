"""The CUDA program without a GPU: as C++, its grid walked by a loop, it says what numpy says; and nvcc takes it."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from ectype.estimate import emit_cuda
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.trace import trace

from .behaviours import Cart, CascadedTanks, Everything, constants_of
from .test_filter import random_events

BEFORE = """
#include <cmath>
using namespace std;
#define __global__ static
struct Place { long long x; };
static Place blockIdx, blockDim, threadIdx;
"""
AFTER = """
extern "C" void grid(long long blocks, long long threads, long long n, long long count, R* belief, const R* constants,
                     const R* events, const R* active, R* out) {
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) run(n, count, belief, constants, events, active, out);
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here: apt install g++")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("behaviour", [CascadedTanks, Cart, WindTurbine, Everything])
def test_the_program_of_a_gpu_agrees_with_numpy(behaviour, dtype, tmp_path):
    graph, n, k = trace(behaviour), 7, 50
    text = emit_cuda.source(graph, dtype == np.float32).replace('extern "C" __global__', "__global__")
    (tmp_path / "kernel.cpp").write_text(BEFORE + text + AFTER)
    words = [
        "g++",
        "-O1",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
        "-o",
        tmp_path / "kernel.so",
        tmp_path / "kernel.cpp",
    ]
    subprocess.run(words, check=True, timeout=120)
    grid = ctypes.CDLL(str(tmp_path / "kernel.so")).grid
    events, active = random_events(graph, k, n, 1)
    given = graph.initial(n), constants_of(graph, n), events, active
    expected, out = NumpyKernel(graph).fold(*given)
    arrays = [np.array(a, dtype, order="C") for a in given] + [np.empty((k, graph.output_size, n), dtype)]
    grid(*map(ctypes.c_longlong, (3, 4, n, k)), *(ctypes.c_void_p(a.ctypes.data) for a in arrays))
    if dtype == np.float64:
        np.testing.assert_allclose(arrays[0], expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(arrays[4], out, rtol=1e-12, atol=1e-12)
    else:  # later the last bit of single precision may decide otherwise, at a gate or a bound
        np.testing.assert_allclose(arrays[4][:3, : graph.size], out[:3, : graph.size], rtol=2e-3, atol=2e-3)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="CUDA's compiler is not here: nvcc")
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("behaviour", [CascadedTanks, WindTurbine, Everything])
def test_the_compiler_of_a_gpu_takes_the_program(behaviour, single, fast, tmp_path):
    (tmp_path / "kernel.cu").write_text(emit_cuda.source(trace(behaviour), single))
    words = ["nvcc", "-arch=sm_90", "-Werror=all-warnings", *emit_cuda.options(fast), "-cubin"]
    words += ["-o", str(tmp_path / "kernel.cubin"), str(tmp_path / "kernel.cu")]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert told.returncode == 0, told.stderr
