"""How far a fast product can be from the score that decides: a bound that is proved, not measured.

Let x and y be two unit rows as they are ranked: float32, rounded once from float64 rows of norm 1. Their
score s is the float64 sum of their products in the fixed order of `clipeval.core.fixed_order`. A fast product
gives v. With ``gamma(n, u) = n u / (1 - n u)`` (Higham 2002, "Accuracy and stability of numerical
algorithms", section 3.1), u the unit roundoff of the fast format and ``N = (1 + 2**-23)**2``:

1. *Norms.* Rounding an entry to float32 moves it by at most ``2**-24`` of itself (or ``2**-150``, if it is
   subnormal), and the float64 normalisation is off by far less than ``2**-40``, so ``|x|, |y| <= 1 + 2**-23``
   and, by Cauchy and Schwarz, ``sum |x_k y_k| <= N``.
2. *Cast.* A filter in a narrower format first rounds the entries: ``x' = x + dx`` with ``|dx_k| <= c |x_k|``,
   so ``|x'.y' - x.y| <= (2 c + c**2) sum |x_k y_k|``. For float32, c is 0: the rows are float32 already.
3. *Products and sum.* Whatever the order of the sum, with or without fused multiply-add, no term passes
   through more than d roundings: one product and d - 1 additions. So ``|v - x'.y'| <= gamma(d, u) sum |x'_k
   y'_k|``. Only conventional products are covered (every entry a sum of d products), which is what BLAS
   libraries compute; Strassen's method is not.
4. *Underflow.* Where tiny numbers are flushed to zero, an entry of each operand, a product and a partial sum
   lose at most t each, the smallest normal number (Higham, section 2.5): together at most ``4 d t`` with
   entries below 2, and ``8 d t`` with the roundings that follow.
5. *Result.* If v is stored in a narrower format, it is rounded once more: ``r (N + the rest)``.
6. *The decider.* s itself is within ``gamma(ceil(log2 d) + 1, 2**-53) N`` of the exact sum.

The sum of these, rounded up, is the bound. For float32 and d = 512 it is 3.06e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

_NORMS = (1 + 2.0**-23) ** 2
_MARGIN = 1 + 2.0**-20  # covers the float64 arithmetic of the bound itself


@dataclass(frozen=True)
class FilterFormat:
    """What a fast product does to numbers.

    Attributes
    ----------
    cast : float
        Largest relative error of casting a float32 entry to the format of the operands.
    unit : float
        Unit roundoff u of the products and sums.
    result : float
        Unit roundoff of the stored result; 0 if it is stored as it was summed.
    tiny : float
        Smallest normal number of the narrowest format involved.
    """

    cast: float
    unit: float
    result: float
    tiny: float


FLOAT64 = FilterFormat(cast=0.0, unit=2.0**-53, result=0.0, tiny=2.0**-1022)
FLOAT32 = FilterFormat(cast=0.0, unit=2.0**-24, result=0.0, tiny=2.0**-126)
# narrow operands, float32 sums and results. Tensor cores may drop digits where a processor rounds, so TF32
# is taken as cut to 11 bits and every sum as losing up to 2**-22 of itself. How they add was measured (Fasi
# et al. 2021, "Numerical behavior of NVIDIA tensor cores"), not promised; these bounds rest on it.
TF32 = FilterFormat(cast=2.0**-10, unit=2.0**-22, result=0.0, tiny=2.0**-126)
FLOAT16 = FilterFormat(cast=2.0**-11, unit=2.0**-22, result=2.0**-24, tiny=2.0**-28)
BFLOAT16 = FilterFormat(cast=2.0**-8, unit=2.0**-22, result=0.0, tiny=2.0**-126)


def gamma(terms: int, unit: float) -> float:
    """Relative error of any product of `terms` factors ``1 + delta``, each ``|delta| <= unit``.

    Parameters
    ----------
    terms : int
        Number of roundings, at least 0.
    unit : float
        Unit roundoff.

    Returns
    -------
    float
        ``n u / (1 - n u)``; infinite where ``n u`` is not below 1.

    Examples
    --------
    >>> gamma(0, 0.5), gamma(1, 0.5), gamma(2, 0.5)
    (0.0, 1.0, inf)
    """
    product = terms * unit
    return product / (1 - product) if product < 1 else float("inf")


def error_bound(width: int, form: FilterFormat = FLOAT32) -> float:
    """Largest distance between a fast product of two unit rows and their score.

    Parameters
    ----------
    width : int
        d, the length of the rows.
    form : FilterFormat
        How the fast product rounds.

    Returns
    -------
    float
        Infinite where the format proves nothing for this width; every pair is then scored in float64.

    Examples
    --------
    >>> f"{error_bound(512):.3g}", f"{error_bound(512, FLOAT64):.2g}"
    ('3.05e-05', '5.8e-14')
    """
    cast = (2 * form.cast + form.cast**2) * _NORMS
    total = gamma(width, form.unit) * (_NORMS + cast)
    if total == float("inf"):
        return total
    underflow = 8 * width * form.tiny
    stored = form.result * (_NORMS + cast + total + underflow)
    decider = gamma(max(1, (width - 1).bit_length()) + 1, FLOAT64.unit) * _NORMS
    return (cast + total + underflow + stored + decider) * _MARGIN
