"""What one core can do: the rate of fused multiply-adds in double precision, measured.

Twenty vectors of independent accumulators stay in registers and each is multiplied and added to over and over, so that
the core waits for nothing. The loop is written as vectors in LLVM's language, since numba on its own would choose their
width: `assembly` shows the vfmadd instructions and the registers (ymm 256 bits, zmm 512 bits).

`python benchmarks/peak.py` prints GFLOP/s for both widths; a multiply-add counts as two.
"""

import re
import time
from collections import Counter
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ACCUMULATORS = 20
"""Vectors in flight: more than the units times the cycles that one takes, fewer than there are registers."""


def _loop(lanes: int) -> Any:
    """Intrinsic (count) -> float that runs `count` rounds over the accumulators."""

    @intrinsic
    def multiply_add(typing_context, count):  # type: ignore[no-untyped-def]  # noqa: ARG001
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
            double, whole = ir.DoubleType(), ir.IntType(64)
            vector = ir.VectorType(double, lanes)
            signature_of_fma = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(builder.module, signature_of_fma, f"llvm.fma.v{lanes}f64")
            factor, summand = (ir.Constant(vector, [value] * lanes) for value in (0.999999, 1e-6))
            before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.branch(body)
            builder.position_at_end(body)
            index = builder.phi(whole)
            index.add_incoming(whole(0), before)
            values = [builder.phi(vector) for _ in range(ACCUMULATORS)]
            for place, value in enumerate(values):
                value.add_incoming(ir.Constant(vector, [1.0 + place] * lanes), before)
            results = [builder.call(fma, [value, factor, summand]) for value in values]
            for value, result in zip(values, results, strict=True):
                value.add_incoming(result, body)
            following = builder.add(index, whole(1))
            index.add_incoming(following, body)
            builder.cbranch(builder.icmp_signed("<", following, arguments[0]), body, after)
            builder.position_at_end(after)
            total = results[0]
            for result in results[1:]:
                total = builder.fadd(total, result)
            answer = builder.extract_element(total, ir.IntType(32)(0))
            for lane in range(1, lanes):
                answer = builder.fadd(answer, builder.extract_element(total, ir.IntType(32)(lane)))
            return answer

        return types.float64(types.int64), generate

    @njit("float64(int64)")
    def run(count):  # type: ignore[no-untyped-def]
        return multiply_add(count)

    return run


LOOPS = {256: _loop(4), 512: _loop(8)}
"""The loop by width of its vectors in bits."""


def assembly(bits: int) -> Counter[str]:
    """How often the compiled loop names each kind of multiply-add and register."""
    (text,) = LOOPS[bits].inspect_asm().values()
    return Counter(re.findall(r"\bv?fn?madd\d*[ps]d|\b[xyz]mm(?=\d)", text))


def peak(bits: int, *, rounds: int = 10_000_000) -> float:
    """Rate of double precision operations on this core with vectors of 256 or 512 bits, GFLOP/s."""
    loop = LOOPS[bits]
    start = time.perf_counter()
    loop(rounds)
    return 2.0 * ACCUMULATORS * bits / 64 * rounds / (time.perf_counter() - start) / 1e9


if __name__ == "__main__":
    for width in LOOPS:
        print(f"{width} bits: {max(peak(width) for _ in range(5)):.1f} GFLOP/s, {dict(assembly(width))}")
