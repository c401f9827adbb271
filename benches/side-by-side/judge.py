"""What is wrong with a run: whether it can be taken at its word, and whether it holds what a call needs."""

from measure import value

MAX_LOSS, MAX_P99 = 0.005, 20.0
# A core that is used so far has nothing left: the rest is idle time between bursts that comes too late.
FULL = 0.95
# Of a core that others may use during a run before it is called disturbed.
DISTURBED = 0.15


def p99(run):
    """The worse of video's and audio's, in ms."""
    return max((value(run, (kind, "p99")) or 0 for kind in ("video", "audio")), default=0)


def tool_full(run):
    """Whether the load tool was at its own end, so that the numbers may be its own."""
    return (value(run, ("tool", "own_drops")) or 0) > 0 or (value(run, ("tool", "cpu_share")) or 0) >= FULL


def trouble(run):
    """Why a run can't be taken at its word, or an empty text."""
    out = [run["crash"]] if run.get("crash") else []
    if "error" in run:
        return "; ".join([*out, run["error"]])
    joins = run["joins"]
    if joins["joined"] < joins["asked"]:
        out.append(f"{joins['asked'] - joins['joined']} of {joins['asked']} joins failed{reason(joins)}")
    if joins.get("broken"):
        out.append(f"{joins['broken']} connections broke")
    if value(run, ("streams", "silent")):
        out.append(f"{run['streams']['silent']} of {run['streams']['negotiated']} tracks never flowed")
    if tool_full(run):
        drops = value(run, ("tool", "own_drops")) or 0
        out.append(f"load tool full ({value(run, ('tool', 'cpu_share')) or 0:.2f} of its core, {drops:,} drops of its own)")
    return "; ".join([*out, *disturbed(run)])


def disturbed(run):
    """Who else used the machine so much that a run's latency says little, in words."""
    parts = (("others", "other programs used"), ("stolen", "the machine's host took"))
    return [f"disturbed: {words} {run[key]:.2f} of a core" for key, words in parts if run.get(key, 0) >= DISTURBED]


def reason(joins):
    """The most frequent reason of failed joins, in brackets."""
    first = next(iter(joins.get("errors", [])), "")
    words = first.get("why", "") if isinstance(first, dict) else first
    return f" ({words[:80]})" if words else ""


def faults(run):
    """What broke, worst first: none if the run holds. A crash at the end, when asked to leave, costs no call."""
    if "error" in run:
        return [run["error"]]
    out = []
    joins = run["joins"]
    if joins["joined"] < joins["asked"]:
        out.append(f"{joins['asked'] - joins['joined']} of {joins['asked']} joins failed{reason(joins)}")
    if joins.get("broken"):
        out.append(f"{joins['broken']} connections broke")
    if value(run, ("streams", "silent")):
        out.append(f"{run['streams']['silent']} tracks never flowed")
    loss = value(run, ("packets", "loss_share")) or 0
    if loss >= MAX_LOSS:
        kernel = run.get("kernel_drops")
        out.append(f"loss {100 * loss:.2f}%" + (f" ({kernel:,} dropped at the server's own sockets)" if kernel else ""))
    if p99(run) >= MAX_P99:
        out.append(f"p99 {p99(run):,.1f} ms")
    if value(run, ("tool", "own_drops")):
        out.append(f"{run['tool']['own_drops']:,} drops at the load's sockets")
    return out


def cause(run):
    """Which of the two was at its end, by CPU."""
    server, tool = value(run, ("server", "cpu_share")), value(run, ("tool", "cpu_share"))
    if server is None or tool is None:
        return ""
    full = [name for name, share in (("server", server), ("load tool", tool)) if share >= FULL]
    if tool_full(run) and "load tool" not in full:
        full.append("load tool, in bursts")
    shares = f" (server {server:.2f}, load {tool:.2f}"
    if run.get("softirqd", 0) >= 0.02:
        shares += f", kernel's packet threads {run['softirqd']:.2f}"
    return "; ".join([(" and ".join(full) + " full" if full else "no core full") + shares + ")", *disturbed(run)])
