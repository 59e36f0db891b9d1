"""A cross of averages as a compiled step: no Python runs while it plays."""

import lanner as ln


@ln.compiled("1h", state={"quick": 0.0, "calm": 0.0, "long": False}, stop="5%")
def compiled_cross(ctx, bar, fast=20, slow=100):
    if ctx.index == 0:
        ctx.quick = ctx.calm = bar.close
    ctx.quick += (bar.close - ctx.quick) * 2.0 / (fast + 1)
    ctx.calm += (bar.close - ctx.calm) * 2.0 / (slow + 1)
    above = ctx.quick > ctx.calm
    if ctx.index >= slow and above != (ctx.long != 0):
        ctx.long = above
        ctx.target(1.0 if above else 0.0)
