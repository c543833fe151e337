"""The numbers of hotland: numba kernels, arrays in and arrays out.

No files, no configuration, no Ray, no xarray. The arrays' last axis is `lane`: one lane is one sample, and the
compiled loops run over lanes, so that the processor's vector units work on several samples at once. All quantities
are in SI units and °C unless a name or a docstring says otherwise.
"""

LANES = 64
"""Samples computed side by side. A group is always this wide (short ones are padded): no result depends on its size."""
