"""What every co-simulation of an accelerator must show."""

from rowloom.sim import simulate


def check(case, design, *, stalls=False, seed=0):
    """The images of a case, back to back; see :func:`assert_exact`."""
    assert len(case.images) >= 2
    assert_exact(design, case.images, stalls=stalls, seed=seed)


def assert_exact(design, codes, *, stalls=False, seed=0):
    """Every value of every layer is compared and right, and every layer takes the cycles that were predicted.

    A layer whose sums go straight into an argmax is seen through that alone.
    """
    result = simulate(design, codes, stalls=stalls, seed=seed)
    assert result.ok, result.summary()
    assert result.images == len(codes)
    kept = {**design.mapped.run(codes, keep="all"), **design.with_parts(design.network.run(codes, keep="all"))}
    written = {plan.tensor for plan in design.layers if not plan.to_results}
    assert result.compared == sum(kept[name].size for name in (*written, *design.leaving))
    assert [layer.cycles_measured for layer in result.layers] == [plan.cycles for plan in design.layers]
