"""Memory and processor time of a process and all its descendants by kind, read from /proc: Linux only."""

import os
from pathlib import Path

KINDS = ("driver", "workers", "raylet", "gcs", "agents")
"""`gcs` is Ray's head, `agents` are its other servants."""

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def family(process: int) -> dict[int, str]:
    """Kind of a process, the driver, and of each of its descendants, by number."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = {process: "driver"}, list(children.get(process, []))
    while waiting:
        each = waiting.pop()
        found[each] = _kind(each)
        waiting += children.get(each, [])
    return found


def memory(processes: dict[int, str]) -> dict[str, int]:
    """Memory by kind, bytes: what several processes share is shared out between them (PSS)."""
    total = dict.fromkeys(KINDS, 0)
    for process, kind in processes.items():
        try:
            lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total[kind] += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def processor_time(processes: dict[int, str]) -> dict[str, float]:
    """Processor time of all threads so far by kind, s."""
    total = dict.fromkeys(KINDS, 0.0)
    for process, kind in processes.items():
        if fields := _stat(process):
            total[kind] += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def _stat(process: int) -> list[str]:
    """Fields of proc(5)'s stat from the third on; none of a process that is gone."""
    try:
        return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _kind(process: int) -> str:
    try:
        command = (_PROC / str(process) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "agents"
    name = command.partition("\0")[0].rpartition("/")[2]
    if name in ("raylet", "gcs_server"):
        return name.removesuffix("_server")
    if "default_worker.py" in command or (command.startswith("ray::") and "Agent" not in command):
        return "workers"
    return "agents"
