"""Elementary functions, f32, one thread: kernels of actc beside PyTorch, in one process on the same arrays, turn by turn.

    torch_elementary.py BUILD/libactc.so [NAME…]      needs torch

Prints nanoseconds per element, the smallest of many repeats, and the ratio."""
import ctypes, sys, time
import torch

NAMES = {"exp": (-8, 8), "exp2": (-8, 8), "expm1": (-8, 8), "log": (.001, 100), "log2": (.001, 100), "log1p": (-.9, 10),
         "rsqrt": (.001, 100), "sin": (-8, 8), "cos": (-8, 8), "tan": (-8, 8), "asin": (-1, 1), "acos": (-1, 1), "atan": (-8, 8),
         "sinh": (-8, 8), "cosh": (-8, 8), "tanh": (-8, 8), "asinh": (-8, 8), "erf": (-4, 4), "erfc": (-4, 8),
         "sigmoid": (-8, 8)}


def kernels(library):
    """A function from names to compiled kernels (n, x, y)."""
    actc = ctypes.CDLL(library)
    actc.actc_kernel_function.restype = ctypes.c_void_p
    context, module = ctypes.c_void_p(), ctypes.c_void_p()
    if actc.actc_context_create(None, ctypes.byref(context)) or \
            actc.actc_module_parse(context, b"bench", b"", ctypes.c_size_t(0), ctypes.byref(module), None):
        sys.exit("actc does not start")

    def kernel(name):
        made = ctypes.c_void_p()
        if actc.actc_kernel_compile(module, f"{name}(x)".encode(), None, ctypes.byref(made), None):
            sys.exit(f"actc does not compile {name}")
        return ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)(actc.actc_kernel_function(made))
    return kernel


def best_of(calls, n):
    inner = 1 if n > 100000 else 20
    best, rounds, end = [1e30] * len(calls), 0, time.perf_counter() + 0.5
    while time.perf_counter() < end or rounds < 20:
        rounds += 1
        for k, call in enumerate(calls):
            start = time.perf_counter_ns()
            for _ in range(inner):
                call()
            best[k] = min(best[k], (time.perf_counter_ns() - start) / (n * inner))
    return best


def main(library, *wanted):
    torch.set_num_threads(1)
    kernel = kernels(library)
    print("ns     elements     actc    torch  ratio   (PyTorch", torch.__version__ + ")")
    for name in wanted or NAMES:
        lo, hi = NAMES[name]
        for n in (16 * 1024, 1024 * 1024):
            x = torch.rand(n) * (hi - lo) + lo
            y, z = torch.empty(n), torch.empty(n)
            ours, theirs = kernel(name), getattr(torch.special if name in ("expm1", "erfc") else torch, name)
            a, b = best_of([lambda: ours(n, x.data_ptr(), y.data_ptr()), lambda: theirs(x, out=z)], n)
            if not torch.allclose(y, z, rtol=1e-4, atol=1e-6, equal_nan=True):
                sys.exit(f"{name} differs")
            print(f"{name:6} {n:8} {a:8.3f} {b:8.3f} {b / a:6.2f}", flush=True)


main(*sys.argv[1:])
