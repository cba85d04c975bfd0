"""How long from `ectype serve` on an empty space to its first answer, and how much memory does it hold then?

Baseline in the same run: a bare Python that imports nothing of ours and answers one HTTP request with the
standard library, which is what a process start and a socket cost here. Bars: 1.5 s, 150 MB.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR_S = 1.5
BAR_MB = 150

BARE = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    args = parser.parse_args()
    rounds = args.rounds or (3 if args.quick else 15)
    ours: list[float] = []
    bare: list[float] = []
    megabytes: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            command = [sys.executable, "-m", "ectype.cli.main", "serve", f"{folder}/empty", "--port", str(port)]
            seconds, rss = first_answer([*command, "--mqtt-port", "0", "--json"], port, "/api/space")
        ours.append(seconds)
        megabytes.append(rss)
        port = free_port()
        bare.append(first_answer([sys.executable, "-c", BARE, str(port)], port, "/")[0])
    result = {
        "first_answer_s": statistics.median(ours),
        "first_answer_worst_s": max(ours),
        "bar_s": BAR_S,
        "bare_python_s": statistics.median(bare),
        "ratio": statistics.median(ours) / statistics.median(bare),
        "resident_mb": statistics.median(megabytes),
        "bar_mb": BAR_MB,
        "rounds": rounds,
    }
    print(json.dumps({k: round(v, 3) for k, v in result.items()}, indent=2))


def first_answer(command: list[str], port: int, path: str) -> tuple[float, float]:
    """(seconds from the start of the process to its first answer, resident MB after it)."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as peer:
                    peer.sendall(request)
                    if peer.recv(12).endswith(b"200"):
                        break
            except OSError:
                pass
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        return seconds, resident_mb(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmRSS: this benchmark reads memory from Linux's /proc")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
