"""Do the scripts in ir/expand/coefficients still give the constants that stand in ir/expand/*.c?

    coefficients.py SOURCE_FOLDER [NAME…]      NAME: scripts, as exp.sollya; all by default

Runs each script. Every array of the C files must be printed by one of them, in order and in every bit (leading
coefficients that the form fixes, as 1 and 0.5, may be missing); every other constant of more than 16 significant bits must be
among the printed ones too, up to a sign and a power of two. Status 77: sollya or mpmath is missing."""
import glob, math, os, re, shutil, subprocess, sys

HEX = re.compile(r"-?0x[0-9a-fA-F]+(?:\.[0-9a-fA-F]+)?p[+-]?\d+")
WORD = re.compile(r"\b0x[0-9a-f]{16}\b")
ARRAY = re.compile(r"static const (double|uint64_t) (\w+)\[\]\s*=\s*\{(.*?)\};", re.S)
NUMBER = re.compile(r"-?(?:0x[0-9a-fA-F]+(?:\.[0-9a-fA-F]+)?(?:p[+-]?\d+)?|\d+(?:\.\d+)?)")


def printed(path):
    """The lists of numbers that the script prints: those between two lines without any."""
    command = ["python3", path] if path.endswith(".py") else ["sollya", "--warnonstderr", path]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                         text=True, cwd=os.path.dirname(path))
    lists, current = [], []
    for line in run.stdout.splitlines():
        # a name may stand before the numbers of a line, which is then a list of its own
        numbers = [float.fromhex(n) for n in HEX.findall(line)] + [int(n, 16) for n in WORD.findall(line)]
        alone = not HEX.sub("", line).strip(" ,") and numbers
        if not alone:
            lists.append(current)
            current = []
        if numbers:
            current += numbers
            if not alone:
                lists.append(current)
                current = []
    lists.append(current)
    lists = [l for l in lists if l]
    if not lists:
        sys.exit(f"{path} prints no numbers")
    return lists


def value(text):
    if "p" in text or "." in text:
        return float.fromhex(text) if "0x" in text else float(text)
    return int(text, 0)


def mantissa(v):
    """Without sign and power of two."""
    return math.frexp(abs(v))[0]


def significant_bits(v):
    m = int(math.ldexp(mantissa(v), 53)) or 1
    return 53 - ((m & -m).bit_length() - 1)


def contains(lists, array):
    return any(l[i:i + len(array)] == array for l in lists for i in range(len(l) - len(array) + 1))


def main(source, wanted):
    scripts = sorted(glob.glob(f"{source}/ir/expand/coefficients/*.*"))
    scripts = [s for s in scripts if s.endswith((".py", ".sollya")) and (not wanted or os.path.basename(s) in wanted)]
    if not shutil.which("sollya"):
        print("skipped: there is no sollya (Debian: sollya)")
        return 77
    try:
        import mpmath
    except ImportError:
        print("skipped: there is no mpmath (Debian: python3-mpmath)")
        return 77
    lists = []
    for s in scripts:
        lists += printed(s)
    scalars = {mantissa(v) for l in lists for v in l if isinstance(v, float)}
    wrong = arrays = others = 0
    for path in sorted(glob.glob(f"{source}/ir/expand/*.c")):
        name, text = os.path.basename(path), re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
        for _, array, body in ARRAY.findall(text):
            values = [value(n) for n in NUMBER.findall(body)]
            free = values
            while free and isinstance(free[0], (int, float)) and abs(free[0]) in (0.5, 1):
                free = free[1:]
            arrays += 1
            if not (contains(lists, values) or contains(lists, free)):
                wrong += 1
                print(f"{name}: no script prints {array}[], {body.split(',')[0].strip()}, …")
        for n in HEX.findall(ARRAY.sub("", text)):
            v = float.fromhex(n)
            if significant_bits(v) <= 16 or significant_bits(1 - mantissa(v)) == 1:  # short, or the largest float
                continue
            others += 1
            if mantissa(v) not in scalars:
                wrong += 1
                print(f"{name}: no script prints {n}")
    print(f"{len(scripts)} scripts: {arrays} arrays and {others} other constants compared, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
