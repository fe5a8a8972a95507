"""The lanes that turn sums into codes, with their memories: by tables of thresholds, or by division."""

from amaranth import Signal

from rowloom.hw.linear import LinearLane
from rowloom.hw.postprocess import ThresholdLane

__all__ = ["counting_lanes", "dividing_lanes"]


def counting_lanes(m, hw, k, stores, retire, program, sums):
    """Code and difference of each column of drain lane k, by tables of thresholds."""
    opening, *others = stores.images.thresholds[k]
    sum_bits = hw.of_lane(k).sum_bits
    first_address, first = stores.thresholds(k, 0, width=sum_bits + 1, words=opening)
    m.d.comb += first_address.eq(retire.threshold_address)
    filter_address = Signal(len(first_address), name=f"filter_{k}", reset_less=True)
    filter_address_q = Signal.like(filter_address, name=f"filter_{k}_q", reset_less=True)
    m.d.sync += [filter_address.eq(retire.threshold_address), filter_address_q.eq(filter_address)]
    found = []
    for q, total in enumerate(sums):
        m.submodules[f"threshold_{k}_{q}"] = lane = ThresholdLane(
            sum_bits=sum_bits,
            address_bits=len(first_address),
            levels=hw.levels,
            tables=[stores.contents(table) for table in others],
            logic_bits=hw.logic_bits,
            filters=hw.of_lane(k).threshold_depth if hw.load_bits else 0,
        )
        for i in range(1, hw.levels) if hw.load_bits else ():
            enable, address, word = stores.lane_port(k, i)
            m.d.comb += lane.write_enable[i].eq(enable)
            with m.If(enable):
                m.d.comb += [lane.write_address.eq(address), lane.write_data.eq(word)]
        m.d.comb += [
            lane.address.eq(filter_address_q),
            lane.base.eq(program.code_base),
            lane.sum.eq(total),
            lane.threshold.eq(first[:sum_bits].as_signed()),
            lane.invert.eq(first[-1]),
        ]
        found.append((lane.code, lane.difference))
    return found


def dividing_lanes(m, hw, k, stores, retire, program, sums):
    """Code and difference of each column of drain lane k, by division."""
    m.submodules[f"linear_{k}"] = lane = LinearLane(
        line=hw.of_lane(k).line, sum_bits=hw.of_lane(k).sum_bits, levels=hw.levels, cols=hw.cols
    )
    (words,) = stores.images.thresholds[k]
    address, word = stores.thresholds(k, 0, width=lane.word.shape().size, words=words)
    m.d.comb += [address.eq(retire.threshold_address), lane.word.eq(word)]
    m.d.comb += [getattr(lane, f"sum_{q}").eq(total) for q, total in enumerate(sums)]
    return [(getattr(lane, f"code_{q}"), getattr(lane, f"difference_{q}")) for q in range(hw.cols)]
