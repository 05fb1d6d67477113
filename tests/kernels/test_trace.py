"""Traces of block decoders: the instructions of those that can be traced, the messages for those that cannot."""

import builtins
import operator
import re
from collections.abc import Callable

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.kernels.fusing.integer_ranges import INT32, RESULTS, UINT32, integer_kind, lies_within
from fourcc.kernels.fusing.ir import LIMIT, Trace, UntraceableError
from fourcc.kernels.fusing.operators import OPERATORS
from fourcc.kernels.fusing.tracer import TracedPart, trace
from tests.kernels.short_products import ROOT

Decoder = Callable[..., None]
CODES = TracedPart(0, "|u1", 8, name="codes")
TABLE = np.array([0.5, -1, 2, 4], np.float32)
WIDE_TABLE = np.arange(256, dtype=np.float64) / 3
COUNTS = np.array([3, 1, 2])
LARGE = np.array([1, 2**32])
PAIRS = np.eye(2, dtype=np.float32)


def names(made: Trace) -> list[str]:
    """The instructions' names, without loads and constants."""
    return [each.name for each in made.instructions if each.name not in {"load", "constant"}]


def test_loops_unroll_and_equal_instructions_are_recorded_once() -> None:
    def decode(codes: Array, weights: Array) -> None:
        for index in range(8):
            weights[index] = (codes[index // 2] & 15) * 0.5

    made = trace(decode, [CODES], 8)
    assert len(made.results) == 8
    assert [each.name for each in made.instructions].count("load") == 4
    assert names(made).count("and") == 4
    assert made.results[0] == made.results[1] != made.results[2]


def helper(code: Array, shift: int) -> Array:
    """Called by a decoder; names a table and another function."""
    return TABLE[masked(code >> shift)]


def masked(code: Array) -> Array:
    """Two bits."""
    return code & 3


def test_functions_that_it_calls_are_traced_too() -> None:
    def decode(codes: Array, weights: Array) -> None:
        for index in range(4):
            weights[index] = helper(codes[0], 2 * index)

    made = trace(decode, [CODES], 4)
    assert names(made)[:3] == ["rshift", "and", "table"]
    assert {each.arguments[0] for each in made.instructions if each.name == "table"} == {0}
    (table,) = made.tables
    assert table.tolist() == TABLE.tolist()


def test_tables_of_a_closure_are_seen_and_plain_numbers_of_them_are_constants() -> None:
    table = WIDE_TABLE

    def decode(codes: Array, weights: Array) -> None:
        weights[0] = table[codes[0]]
        weights[1] = table[5] * codes[1]
        weights[2] = float(COUNTS[0]) * codes[2] + len(table)

    made = trace(decode, [CODES], 3)
    (values,) = made.tables
    assert values.tolist() == np.float32(WIDE_TABLE).tolist()
    constants = [each.arguments[0] for each in made.instructions if each.name == "constant"]
    assert float(np.float32(5 / 3)) in constants
    assert 3.0 in constants
    assert 256 in constants


def test_kinds_are_those_of_numbers() -> None:
    """Integers stay integers until a float or a division meets them; only what needs 32 bits is unsigned."""
    seen: list[str] = []

    def decode(codes: Array, words: Array, halves: Array, weights: Array) -> None:
        values = [
            codes[0] + 1,
            words[0] >> 28,
            (words[0] & 15) - codes[1],
            codes[0] * 0.5,
            codes[0] / 2,
            halves[0] + codes[0],
            -codes[3],
            1 - codes[3],
            2.0 - halves[0],
            1 / halves[0],
            codes[2] << 3,
            3 | codes[2] ^ 5,
            words[0].astype(np.float32),
            np.float32(3) * codes[0],
            np.int64(3) * codes[0],
            codes[0] >> (words[0] & 1),
        ]
        seen.extend(value.kind for value in values)  # type: ignore[attr-defined]
        for index, value in enumerate(values):
            weights[index] = value

    sources = [CODES, TracedPart(1, "<u4", 1), TracedPart(2, "<f2", 1)]
    made = trace(decode, sources, 16)
    expected = "int int int float float float int int float float int int float float int int"
    assert seen == expected.split()
    assert all(made.instructions[number].kind == "float" for number in made.results.values())


def test_records_are_mappings_of_their_fields() -> None:
    def decode(blocks: dict[str, Array], weights: Array) -> None:
        for index in range(4):
            weights[index] = blocks["q"][index] * blocks["d"][-1]

    fields = [("d", TracedPart(0, "<f2", 1)), ("q", TracedPart(0, "|i1", 4, 2))]
    made = trace(decode, [fields], 4)
    loads = [each.arguments for each in made.instructions if each.name == "load"]
    assert loads == [(0, "|i1", 2), (0, "<f2", 0), (0, "|i1", 3), (0, "|i1", 4), (0, "|i1", 5)]


def test_a_part_of_the_whole_matrix_may_be_chosen_from() -> None:
    def decode(codes: Array, book: Array, weights: Array) -> None:
        weights[0] = book[codes[0]]
        weights[1] = book[2] + len(book) + len(codes)

    made = trace(decode, [CODES, TracedPart(1, "<f4", 16, whole=True)], 2)
    instructions = {each.name: each for each in made.instructions}
    assert instructions["part_table"].arguments == (1, "<f4", 16, 0)
    assert instructions["part_entry"].arguments == (1, "<f4", 8)


def test_a_table_behind_other_fields_of_a_record_is_refused() -> None:
    def decode(codes: Array, book: dict[str, Array], weights: Array) -> None:
        weights[0] = book["values"][codes[0]]

    fields = [
        ("count", TracedPart(1, "|u1", 1, whole=True)),
        ("values", TracedPart(1, "<f4", 16, 1, whole=True, name="book")),
    ]
    with pytest.raises(UntraceableError, match=r": an entry of a record, part 'book', is chosen by a value$"):
        trace(decode, [CODES, fields], 1)


def test_tables_of_whole_numbers_and_equal_tables() -> None:
    """The kind is that of the numbers; an equal table is kept once."""
    counts, same, unsigned = COUNTS, COUNTS.copy(), np.array([1, 2**32 - 7])

    def decode(codes: Array, weights: Array) -> None:
        weights[0] = counts[codes[0]] + same[codes[1]]
        weights[1] = unsigned[codes[0]] + len(counts) + counts.size

    made = trace(decode, [CODES], 2)
    assert [table.dtype for table in made.tables] == [np.int32, np.uint32]
    assert [each.kind for each in made.instructions if each.name == "table"] == ["int", "int", "uint"]


def test_parameters_are_given_by_name() -> None:
    def decode(codes: Array, weights: Array, bits: int, offset: float) -> None:
        weights[0] = (codes[0] >> bits) + offset

    made = trace(decode, [CODES], 1, {"offset": 0.5, "bits": 3})
    assert [each.arguments for each in made.instructions if each.name == "constant"] == [(3,), (0.5,)]


def test_weights_are_counted_from_the_end_and_may_be_written_twice() -> None:
    def decode(codes: Array, weights: Array) -> None:
        weights[0] = weights[-1] = codes[0]
        weights[0] = codes[1]
        assert len(weights) == 2

    made = trace(decode, [CODES], 2)
    assert made.results[0] != made.results[1]


def test_a_compiled_function_is_traced_by_its_python() -> None:
    """The compiled function keeps the plain one, which is traced."""

    class Dispatcher:
        def __init__(self, function: Decoder) -> None:
            self.py_func = function

    def decode(codes: Array, weights: Array) -> None:
        weights[0] = codes[0]

    assert len(trace(Dispatcher(decode), [CODES], 1).results) == 1


def test_a_weight_may_be_added_to() -> None:
    def decode(codes: Array, weights: Array) -> None:
        weights[0] = codes[0]
        weights[0] += 0.5

    made = trace(decode, [CODES], 1)
    assert names(made) == ["to_float", "add"]


def test_defaults_of_a_function_that_it_calls_are_its_own() -> None:
    def plus(code: Array, one: int = 1, *, other: int = 2) -> Array:
        return code + one + other

    def decode(codes: Array, weights: Array) -> None:
        weights[0] = plus(codes[0])

    made = trace(decode, [CODES], 1)
    assert [each.arguments[0] for each in made.instructions if each.name == "constant"] == [1, 2]


def test_entries_of_tables_are_numbers_without_bounds() -> None:
    """Arithmetic on entries stored in eight bits neither wraps around nor is refused, as numpy's is."""
    small = np.array([200, 100], np.uint8)

    def decode(codes: Array, weights: Array) -> None:
        weights[0] = small[0] + 200 + codes[0]
        weights[1] = small[codes[0] & 1] + 200

    made = trace(decode, [CODES], 2)
    assert 400 in [each.arguments[0] for each in made.instructions if each.name == "constant"]


def test_zeros_of_both_signs_are_two_constants() -> None:
    def decode(codes: Array, weights: Array) -> None:
        weights[0] = codes[0] * 0.0
        weights[1] = codes[0] * -0.0

    made = trace(decode, [CODES], 2)
    assert made.results[0] != made.results[1]


def test_lowest_bits_need_no_more_than_32() -> None:
    """Nothing computes the bits above, and a mask may remove them."""

    def decode(words: Array, weights: Array) -> None:
        weights[0] = (words[0] << 31) + words[0] & 0xFFFF
        weights[1] = (words[0] * words[0] ^ -1).astype(np.int8)

    assert names(trace(decode, [TracedPart(0, "<u4", 1)], 2))[:3] == ["lshift", "add", "and"]


def test_the_guide_lists_every_operator() -> None:
    """It lists no other."""
    guide = (ROOT / "specs" / "writing-a-format.md").read_text()
    (row,) = (line for line in guide.splitlines() if line.startswith("| operators |"))
    listed = re.findall(r"`([^`]+)`", row.replace("\\|", "|"))
    assert listed[0].split() == list(OPERATORS.values())


# -- between which bounds integers lie


@pytest.mark.parametrize("name", RESULTS)
def test_ranges_hold_what_comes_out(name: str) -> None:
    """Tests every range of a few bits with every other; shifts are by 0 .. 3, no divisor is 0."""
    act = getattr(builtins if name in {"min", "max"} else operator, {"and": "and_", "or": "or_"}.get(name, name))
    ranges = [(low, high) for low in range(-9, 10, 3) for high in range(low, 10, 2)]
    counts = [(low, high) for low in range(4) for high in range(low, 4)]
    for x in ranges:
        for y in counts if name.endswith("shift") else ranges:
            if name in {"floordiv", "mod"} and y[0] <= 0 <= y[1]:
                continue
            made = {act(a, b) for a in range(x[0], x[1] + 1) for b in range(y[0], y[1] + 1)}
            assert lies_within((min(made), max(made)), RESULTS[name](x, y)), (x, y)


def test_ranges_of_masks_and_joined_bits_are_narrow() -> None:
    """Wider ranges would refuse decoders that are right."""
    byte = (0, 255)
    assert RESULTS["and"]((-(2**31), 2**31 - 1), (15, 15)) == (0, 15)
    assert RESULTS["or"](byte, RESULTS["lshift"](byte, (24, 24))) == UINT32
    assert RESULTS["xor"](byte, (128, 128)) == byte
    assert RESULTS["xor"]((-1, 1), (0, 1)) == (-2, 1)
    assert RESULTS["or"]((-4, -2), (1, 1)) == (-4, -1)
    assert [integer_kind(each) for each in (INT32, UINT32, (-1, 2**31), (0, 2**32))] == ["int", "uint", "low", "low"]


# -- what cannot be written down

INSTEAD = r"write np\.where\(condition, a, b\), which chooses a value"
IF = rf"what it does depends on a value \(if, and, or, not, while\): {INSTEAD}"


def branches(codes: Array, weights: Array) -> None:
    """Branches on a value."""
    weights[0] = 1.0 if codes[0] else 2.0


def compares(codes: Array, weights: Array) -> None:
    """Compares a value."""
    weights[0] = codes[1] if codes[0] > 3 else codes[2]


def loops_by_value(codes: Array, weights: Array) -> None:
    """Loops as often as a value says."""
    for index in range(codes[0]):
        weights[index] = 0.0


def takes_the_number(codes: Array, weights: Array) -> None:
    """Makes an int of a value."""
    weights[0] = float(codes[0])


def indexes_by_value(codes: Array, weights: Array) -> None:
    """Chooses an entry of the block by a value."""
    weights[0] = codes[codes[0]]


def chooses_too_large(codes: Array, weights: Array) -> None:
    """Chooses from a table of integers of more than 32 bits."""
    weights[0] = LARGE[codes[0]]


def writes_by_value(codes: Array, weights: Array) -> None:
    """Chooses a weight by a value."""
    weights[codes[0]] = 1.0


def slices(codes: Array, weights: Array) -> None:
    """Takes several entries at once."""
    weights[0] = codes[0:2]


def ands_a_float(codes: Array, weights: Array) -> None:
    """Takes bits of a float."""
    weights[0] = (codes[0] * 0.5) & 3


def shifts_a_float(codes: Array, weights: Array) -> None:
    """Shifts a float."""
    weights[0] = (codes[0] * 0.5) >> 1


def cuts_a_float(codes: Array, weights: Array) -> None:
    """Converts a float to an integer."""
    weights[0] = (codes[0] * 0.5).astype(np.int32)


def meets_text(codes: Array, weights: Array) -> None:
    """Adds a string."""
    weights[0] = codes[0] + "1"


def meets_a_list(codes: Array, weights: Array) -> None:
    """Stores a list."""
    weights[0] = [codes[0]]


def leaves_one_out(codes: Array, weights: Array) -> None:
    """Writes only one weight."""
    weights[0] = codes[0]


def shifts_too_far(codes: Array, weights: Array) -> None:
    """Reads eight codes of five bits from five bytes."""
    word = codes[0] | codes[1] << 8 | codes[2] << 16 | codes[3] << 24 | codes[4] << 32
    weights[0] = word & 31


def shifts_by_a_code(codes: Array, weights: Array) -> None:
    """Shifts by any byte."""
    weights[0] = 1 << codes[0]


def shifts_backwards(codes: Array, weights: Array) -> None:
    """Shifts by a number that may be negative."""
    weights[0] = codes[0] >> (codes[1] & 7) - 1


def shifts_a_wide_one(codes: Array, weights: Array) -> None:
    """Shifts right where the bits from 32 on are lost."""
    weights[0] = (codes[0] << 28) >> 4


def weighs_a_wide_one(codes: Array, weights: Array) -> None:
    """Makes a float of a product of more than 32 bits."""
    weights[0] = codes[0] * codes[1] * codes[2] * codes[3] * codes[4]


def chooses_by_a_wide_one(codes: Array, weights: Array) -> None:
    """Indexes a table by an integer of more than 32 bits."""
    weights[0] = TABLE[codes[0] << 25]


def chooses_by_a_float(codes: Array, weights: Array) -> None:
    """Indexes a table by a float."""
    weights[0] = TABLE[codes[0] * 0.5]


def chooses_before_the_end(codes: Array, weights: Array) -> None:
    """Indexes three entries from the end by a negative value."""
    weights[0] = COUNTS[(codes[0] & 3) - 1]


def chooses_before_the_start(codes: Array, weights: Array) -> None:
    """Indexes four entries, perhaps before the first one."""
    weights[0] = TABLE[(codes[0] & 3) - 5]


def outgrows(codes: Array, weights: Array) -> None:
    """Makes an integer of more than 128 bits."""
    value = codes[0]
    for _ in range(8):
        value = value * 65535
    weights[0] = value & 1


def becomes_half(codes: Array, weights: Array) -> None:
    """Rounds to float16."""
    weights[0] = codes[0].astype(np.float16)


def becomes_double(codes: Array, weights: Array) -> None:
    """Converts to float64."""
    weights[0] = codes[0].astype(float) / 3


def meets_too_large_a_float(codes: Array, weights: Array) -> None:
    """Meets a float that float32 does not hold."""
    weights[0] = codes[0] * 1e39


def takes_the_integer(codes: Array, weights: Array) -> None:
    """Makes an int of a value."""
    weights[0] = int(codes[0])


def forgets_the_entry(codes: Array, weights: Array) -> None:
    """Means one entry, and takes all."""
    weights[0] = codes * 0.5


def meets_other_length(codes: Array, weights: Array) -> None:
    """Adds vectors of different lengths."""
    weights[:] = codes[:2] + codes


def chooses_by_text(codes: Array, weights: Array) -> None:
    """Chooses an entry by a string."""
    weights[0] = codes["0"]  # type: ignore[call-overload]


def writes_a_part(codes: Array, weights: Array) -> None:
    """Writes into a part."""
    codes[0] = 1
    weights[0] = codes[0]


def takes_a_vector(codes: Array, weights: Array) -> None:
    """Makes a number of a part."""
    weights[0] = float(codes)


def takes_a_value(codes: Array, weights: Array) -> None:
    """Iterates over a number."""
    weights[0] = sum(codes[0])


def divides_by_any(codes: Array, weights: Array) -> None:
    """Divides by a byte."""
    weights[0] = codes[0] // codes[1]


def divides_by_zero(codes: Array, weights: Array) -> None:
    """Divides by a constant 0."""
    weights[0] = codes[0] % 0


def divides_a_float(codes: Array, weights: Array) -> None:
    """Divides a float to an integer."""
    weights[0] = codes[0] * 0.5 // 2


def divides_by_a_float(codes: Array, weights: Array) -> None:
    """Has a float for a modulus."""
    weights[0] = codes[0] % 2.0


def raises_to_a_value(codes: Array, weights: Array) -> None:
    """Has a value for an exponent."""
    weights[0] = 2 ** codes[0]


def raises_too_far(codes: Array, weights: Array) -> None:
    """Has too large an exponent."""
    weights[0] = codes[0] ** 17


def raises_to_a_float(codes: Array, weights: Array) -> None:
    """Has a float for an exponent."""
    weights[0] = codes[0] ** 0.5


def compares_far_apart(codes: Array, weights: Array) -> None:
    """Compares where the numbers are neither signed nor unsigned 32 bits."""
    weights[0] = codes[0] - 1 < codes[1] << 24


def calls_numpy(codes: Array, weights: Array) -> None:
    """Calls a numpy function, which needs numbers."""
    weights[0] = np.exp(codes[0])


def accumulates(codes: Array, weights: Array) -> None:
    """Calls another form of a known function."""
    weights[0] = np.add.accumulate(codes)[0]


def sorts(codes: Array, weights: Array) -> None:
    """Calls a numpy function of arrays."""
    weights[0] = np.sort(codes)[0]


def divides_in_python(codes: Array, weights: Array) -> None:
    """Divides plain numbers."""
    weights[0] = codes[0] * (1 / (len(codes) - 8))


def chooses_from_rows(codes: Array, weights: Array) -> None:
    """Chooses from a table of two dimensions."""
    weights[0] = PAIRS[codes[0], 1]


def takes_all(codes: Array, weights: Array) -> None:
    """Treats the weights as an array."""
    weights[0] = codes.mean()  # type: ignore[assignment]


def writes_several(codes: Array, weights: Array) -> None:
    """Writes several weights at once, with too many values."""
    weights[0:2] = codes[:3]


def reads_too_early(codes: Array, weights: Array) -> None:
    """Reads a weight before it is written."""
    weights[0] += codes[0]


def calls_itself(codes: Array, weights: Array) -> None:
    """Calls itself without end."""
    weights[0] = codes[0]
    if len(weights) > 1:
        calls_itself(codes, weights)


def takes_too_long(codes: Array, weights: Array) -> None:
    """More instructions than a trace may have."""
    value = codes[0]
    for index in range(LIMIT):
        value = value * 1.5 + index
    weights[0] = value


@pytest.mark.parametrize(
    ("decode", "width", "text"),
    [
        (branches, 1, IF),
        (compares, 1, IF),
        (loops_by_value, 1, "a value becomes an index: only arrays of the module and parts of the matrix have such"),
        (
            takes_the_number,
            1,
            rf"float of a value, .*: write \.astype\(np\.float32\), TABLE\[x\], or {INSTEAD}",
        ),
        (takes_the_integer, 1, rf"int of a value: write \.astype\(np\.int32\), or {INSTEAD}"),
        (indexes_by_value, 1, "an entry of part 'codes' is chosen by a value: only parts of the matrix allow it"),
        (chooses_too_large, 1, "a table of integers that 32 bits do not hold"),
        (writes_by_value, 1, "a weight is chosen by a value"),
        (slices, 1, r"weight 0 is set to 2 entries of part 'codes': write codes\[0\], or another entry"),
        (forgets_the_entry, 1, r"weight 0 is set to 8 entries of part 'codes': write codes\[0\], or another entry"),
        (meets_other_length, 8, "2 entries of part 'codes' meet 8 entries of part 'codes'"),
        (chooses_by_text, 1, "an entry of part 'codes' is chosen by a str"),
        (writes_a_part, 1, "an entry of part 'codes' is written: only weights are"),
        (takes_a_vector, 1, r"part 'codes' of 8 entries is taken for a number: write \[0\], or another"),
        (takes_a_value, 1, "a value is taken for a vector: it is a single number"),
        (ands_a_float, 1, "& of a float"),
        (shifts_a_float, 1, ">> of a float"),
        (cuts_a_float, 1, "a float becomes an integer"),
        (meets_text, 1, "a str meets a value of the block"),
        (meets_a_list, 1, "a list meets a value of the block"),
        (leaves_one_out, 3, "it leaves weight 1 of 3 unwritten"),
        (shifts_too_far, 1, r"<< by 32 bits, where 0 \.\. 31 may be"),
        (shifts_by_a_code, 1, r"<< by 0 \.\. 255 bits, where 0 \.\. 31 may be"),
        (shifts_backwards, 1, r">> by -1 \.\. 6 bits, where 0 \.\. 31 may be"),
        (shifts_a_wide_one, 1, r">> of an integer of 0 \.\. 68451041280, which 32 bits do not hold"),
        (
            weighs_a_wide_one,
            1,
            r"a float is made of an integer of 0 \.\. 1078203909375, which 32 bits do not hold",
        ),
        (
            chooses_by_a_wide_one,
            1,
            r"an entry of a table is chosen by an integer of 0 \.\. 8556380160, which 32 bits do not hold",
        ),
        (chooses_by_a_float, 1, "an entry of a table is chosen by a float"),
        (chooses_before_the_end, 1, r"an entry of 3 is chosen by an integer of -1 \.\. 2"),
        (chooses_before_the_start, 1, r"an entry of 4 is chosen by an integer of -5 \.\. -2"),
        (outgrows, 1, rf"an integer becomes 0 \.\. {255 * 65535**8}, which 128 bits do not hold"),
        (becomes_half, 1, "a value becomes float16, of floats there is float32 alone"),
        (becomes_double, 1, "a value becomes float64, of floats there is float32 alone"),
        (meets_too_large_a_float, 1, r"float32 does not hold 1e\+39"),
        (divides_by_any, 1, r"// by a value that may be 0: it is 0 \.\. 255"),
        (divides_by_zero, 1, "% by 0"),
        (divides_a_float, 1, "// of a float"),
        (divides_by_a_float, 1, "% of a float"),
        (raises_to_a_value, 1, r"\*\* by a value"),
        (raises_too_far, 1, r"\*\* by 17, where 0 \.\. 16 may be"),
        (raises_to_a_float, 1, r"\*\* by a float"),
        (compares_far_apart, 1, r"< of integers of -1 \.\. 4278190080, which no 32 bits hold"),
        (calls_numpy, 1, r"np\.exp of a value: block decoders that are traced do not know it"),
        (accumulates, 1, r"np\.add\.accumulate of a value: block decoders that are traced do not know it"),
        (sorts, 1, r"np\.sort of a value: block decoders that are traced do not know it"),
        (chooses_from_rows, 1, "(an entry of 2 dimensions|IndexError: only integers|a value becomes an index).*"),
        (takes_all, 1, "AttributeError: 'PartEntries' object has no attribute 'mean'"),
        (writes_several, 2, "2 weights are set to 3 entries of part 'codes'"),
        (divides_in_python, 1, "ZeroDivisionError: division by zero"),
        (reads_too_early, 1, "it reads weight 0 before it writes it"),
        (calls_itself, 2, "RecursionError: maximum recursion depth exceeded.*"),
        (takes_too_long, 1, f"more than {LIMIT} instructions"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_written_down_is_said_in_words(decode: Decoder, width: int, text: str) -> None:
    with pytest.raises(UntraceableError, match=rf"^test_trace\.py:\d+: {text}$"):
        trace(decode, [CODES], width)


def test_the_line_is_that_of_the_operation() -> None:
    """Also in a function that the decoder calls; a decoder that ends has only a first line."""
    first = branches.__code__.co_firstlineno
    for decode, width, line in ((branches, 1, 2), (leaves_one_out, 2, leaves_one_out.__code__.co_firstlineno - first)):
        with pytest.raises(UntraceableError, match=rf"^test_trace\.py:{first + line}: "):
            trace(decode, [CODES], width)

    def decode_by_another(codes: Array, weights: Array) -> None:
        weights[0] = codes[0]
        branches(codes, weights)

    with pytest.raises(UntraceableError, match=rf"^test_trace\.py:{first + 2}: "):
        trace(decode_by_another, [CODES], 1)


def test_a_builtin_is_no_decoder() -> None:
    with pytest.raises(UntraceableError, match=r"^a builtin_function_or_method is no Python function$"):
        trace(print, [CODES], 1)


@pytest.mark.parametrize("dtype", ["<f8", "<i8", "<u8", "|b1"])
def test_entries_of_other_kinds_are_refused(dtype: str) -> None:
    with pytest.raises(UntraceableError, match=rf"^test_trace\.py:\d+: entries of {dtype.replace('|', '.')}$"):
        trace(leaves_one_out, [TracedPart(0, dtype, 1)], 1)


def test_entries_and_weights_that_are_not_there() -> None:
    def reads(codes: Array, weights: Array) -> None:
        weights[0] = codes[8]

    def writes(codes: Array, weights: Array) -> None:
        weights[1] = codes[0]

    with pytest.raises(IndexError, match=r"^test_trace\.py:\d+: entry 8 of 8 of part 'codes'$"):
        trace(reads, [CODES], 1)
    with pytest.raises(IndexError, match=r"^test_trace\.py:\d+: weight 1 of 1$"):
        trace(writes, [CODES], 1)
