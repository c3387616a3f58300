"""What processes use: seconds of processor time, and on what machine they run."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.server_process import better_memory

PROC = Path("/proc")


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process and all its threads since it started; None where the system has no /proc."""
    if not PROC.exists():
        return None
    # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was before."""
    return {
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "allocator": "jemalloc" if better_memory() else "libc",
        "python": platform.python_version(),
        "uvicorn": version("uvicorn"),
        "fastapi": version("fastapi"),
        "redis_py": version("redis"),
    }


def _processor() -> str:
    info = PROC / "cpuinfo"
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.machine()
