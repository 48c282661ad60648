"""Product of small matrices, compiled: for units of work that a BLAS would take longer to enter."""

from __future__ import annotations

from numba import njit

from crossbar.kernels.threads import compiled


@compiled(njit)
def multiply_here(a, b, out, n):
    """out[:, :n] = a @ b[:, :n], for an `a` with rows and columns in twos.

    Four rows by four columns fill the registers of a core.
    """
    rows, columns = a.shape[0] - a.shape[0] % 4, a.shape[1] - a.shape[1] % 4
    for i in range(0, rows, 4):
        o0, o1, o2, o3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        for j in range(n):
            o0[j] = o1[j] = o2[j] = o3[j] = 0
        for k in range(0, columns, 4):
            a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
            a20, a21, a22, a23 = a[i + 2, k], a[i + 2, k + 1], a[i + 2, k + 2], a[i + 2, k + 3]
            a30, a31, a32, a33 = a[i + 3, k], a[i + 3, k + 1], a[i + 3, k + 2], a[i + 3, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            for j in range(n):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                o0[j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                o1[j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
                o2[j] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
                o3[j] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3
        if columns < a.shape[1]:
            a00, a01, a10, a11 = a[i, -2], a[i, -1], a[i + 1, -2], a[i + 1, -1]
            a20, a21, a30, a31 = a[i + 2, -2], a[i + 2, -1], a[i + 3, -2], a[i + 3, -1]
            b0, b1 = b[columns], b[columns + 1]
            for j in range(n):
                x0, x1 = b0[j], b1[j]
                o0[j] += a00 * x0 + a01 * x1
                o1[j] += a10 * x0 + a11 * x1
                o2[j] += a20 * x0 + a21 * x1
                o3[j] += a30 * x0 + a31 * x1
    for i in range(rows, a.shape[0], 2):
        o0, o1 = out[i], out[i + 1]
        for j in range(n):
            o0[j] = o1[j] = 0
        for k in range(0, columns, 4):
            a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            for j in range(n):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                o0[j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                o1[j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
        if columns < a.shape[1]:
            a00, a01, a10, a11 = a[i, -2], a[i, -1], a[i + 1, -2], a[i + 1, -1]
            b0, b1 = b[columns], b[columns + 1]
            for j in range(n):
                o0[j] += a00 * b0[j] + a01 * b1[j]
                o1[j] += a10 * b0[j] + a11 * b1[j]
