"""What `reactor serve` answers over HTTP: `wrk` on loopback against one server process.

    python benchmarks/serve.py --seconds 10            # durable and without a journal; needs wrk

Prints requests a second, latencies, the server's CPU time a request, and of that the engine's own; and
the same for an application that answers a constant, on the same server: what is left to win.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from reactor.gateway.demo import shipped

GATEWAY = """
version: 1
config: reactor.yaml
account: 1
instance: 2
listen: 127.0.0.1:{port}
api_keys: [1/abc]
services: [{{name: s, tokens: [{{name: t, value: abc}}]}}]
journal: {journal}
"""
SCRIPT = """
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/vnd.treasuredata.v1+json"
wrk.headers["Authorization"] = "TD1 1/abc"
wrk.headers["WP13n-Token"] = "1/2/abc"
function request()
  n = n + 1
  local body = '{"td_client_id":"client-' .. (n * 7919 % 20000) .. '",' ..
    '"td_path":"/retail/women/product/tank-top","td_url":"https://example.com/retail/women",' ..
    '"product_name":"tank-top","product_category":"women"}'
  return wrk.format(nil, "/web/pageviews", nil, body)
end
local function ms(latency, at) return string.format("%.2f", latency:percentile(at) / 1000) end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.read + errors.write + errors.timeout
  local percentiles = ms(latency, 50) .. " " .. ms(latency, 99) .. " " .. ms(latency, 99.9)
  print("figures", summary.requests, summary.duration, percentiles, failed)
end
"""
FLOOR = """
import asyncio, sys
import uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"offers":{}}'})
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="critical", access_log=False)
"""
PORT = 18080
LINE = "{:14}{:>12}{:>12}{:>9}{:>9}{:>10}{:>9}{:>11}"


def main() -> None:
    """Run every case and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(
        LINE.format(
            "case", "connections", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us", "engine us"
        )
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "reactor.yaml").write_bytes(shipped("reactor.yaml"))
        (folder / "post.lua").write_text(SCRIPT)
        for case, journal in (("durable", f"{{path: {folder / 'journal'}}}"), ("journal: none", "none")):
            (folder / "gateway.yaml").write_text(GATEWAY.format(port=PORT, journal=journal))
            command = [sys.executable, "-m", "reactor.cli", "serve", str(folder / "gateway.yaml")]
            measure(case, command, folder, seconds)
        measure("constant", [sys.executable, "-c", FLOOR, str(PORT)], folder, seconds)
    print(f"load average after: {os.getloadavg()[0]:.1f}")


def measure(case: str, command: list[str], folder: Path, seconds: int) -> None:
    """Start a server, ask it with 1, 16 and 128 connections, and stop it."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait()
        for connections in (1, 16, 128):
            before, engine = cpu_s(server.pid), engine_s()
            asked = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(folder / "post.lua")]
            done = subprocess.run(
                [*asked, f"http://127.0.0.1:{PORT}"], capture_output=True, text=True, check=True
            )
            requests, micros, p50, p99, p999, failed = done.stdout.split("figures")[1].split()
            count = int(requests)
            cpu = (cpu_s(server.pid) - before) / count * 1e6
            own = (engine_s() - engine) / count * 1e6
            rate = count / int(micros) * 1e6
            note = f"  {failed} failed" if int(failed) else ""
            figures = (case, connections, f"{rate:,.0f}", p50, p99, p999, f"{cpu:.0f}", f"{own:.1f}")
            print(LINE.format(*figures) + note, flush=True)
    finally:
        server.terminate()
        server.wait(60)


def wait() -> None:
    """Wait until the server answers."""
    for _ in range(600):
        try:
            with urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    sys.exit("the server does not answer")


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def engine_s() -> float:
    """Return the time that calls have spent inside the engine, as the server counts it."""
    with urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
        found = re.search(rb"^reactor_engine_seconds_sum (\S+)", answer.read(), re.MULTILINE)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    main()
